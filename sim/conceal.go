package sim

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// CutLogin takes the user name and the password out of an address "scheme://user:password@host". Both may have
// percent escapes (RFC 3986 section 3.2.1). The error does not repeat them.
func CutLogin(address string) (l Login, rest string, err error) {
	from, at := authority(address)
	if at < 0 {
		return Login{}, address, nil
	}
	user, password, has := strings.Cut(address[from:at], ":")
	rest = address[:from] + address[at+1:]
	l.Username, err = url.PathUnescape(user)
	if err == nil {
		password, err = url.PathUnescape(password)
	}
	switch {
	case err != nil:
		return Login{}, rest, &Mistake{fmt.Sprintf("the user name or password for %.200q has a %% that begins no escape", rest), "write %25 for a percent sign"}
	case l.Username == "":
		return Login{}, rest, &Mistake{fmt.Sprintf("the address %.200q has no user name before its @", rest), "write user:password@host"}
	case has:
		l.Password = ParseSecret(password)
	}
	return l, rest, nil
}

// authority is where the user name of an address begins, and where the @ after it stands; -1 if there is none.
func authority(address string) (from, at int) {
	if i := strings.Index(address, "://"); i >= 0 {
		from = i + len("://")
	}
	end := len(address)
	if i := strings.IndexAny(address[from:], "/?#"); i >= 0 {
		end = from + i
	}
	if i := strings.LastIndexByte(address[from:end], '@'); i >= 0 {
		return from, from + i
	}
	return from, -1
}

// ConcealAddresses is a list of addresses with commas, without the passwords that were written in it literally.
func ConcealAddresses(text string) string {
	items := strings.Split(text, ",")
	for i, item := range items {
		from, at := authority(item)
		if at < 0 {
			continue
		}
		user, password, has := strings.Cut(item[from:at], ":")
		if has && password != "" && ParseSecret(password).Ref == "" {
			items[i] = item[:from] + user + ":" + Concealed + item[at:]
		}
	}
	return strings.Join(items, ",")
}

// ConcealPasswords is a sentence without the passwords that stand in it literally: what stands in quotes after the
// word password, and in addresses. What only says where the password is stays.
func ConcealPasswords(sentence string) string {
	quoted := regexp.MustCompile(`(?i)(\bpassword\s+)("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')`)
	sentence = quoted.ReplaceAllStringFunc(sentence, func(m string) string {
		at := strings.IndexAny(m, `"'`)
		if ParseSecret(m[at+1:len(m)-1]).Ref != "" {
			return m
		}
		return m[:at] + `"` + Concealed + `"`
	})
	address := regexp.MustCompile(`[A-Za-z+]+://[^\s"',]*@`)
	return address.ReplaceAllStringFunc(sentence, ConcealAddresses)
}

// secretWord finds a word behind which people write a secret, and what stands between them.
var secretWord = regexp.MustCompile(`(?i)\b(?:pass(?:word|wort|wd|phrase|code)?|secret|token|psk|pre-shared key)\b["'“”„«»‘’:=\s]*`)

// ConcealIn is text, which is said of a sentence that nothing understands, without what may be a secret in it: each word
// that stands in the sentence behind one like password, in whatever quotes or none. What only says where a password is
// stays.
func ConcealIn(sentence, text string) string {
	at := secretWord.FindStringIndex(sentence)
	if at == nil {
		return text
	}
	tail := sentence[at[1]:]
	if strings.HasPrefix(tail, "${") || strings.HasPrefix(tail, "file:") {
		return text
	}
	for _, word := range strings.FieldsFunc(tail, func(r rune) bool { return strings.ContainsRune(` "'“”„«»‘’,;:=`+"`\t", r) }) {
		text = strings.ReplaceAll(text, word, Concealed)
	}
	return text
}
