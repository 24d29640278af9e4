package wiretap

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// suspect is what a packet must not be: malformed, or remarked on by a dissector as an error.
const suspect = `_ws.malformed || _ws.expert.severity >= "Error"`

// subprotocols tells tshark that MQTT runs inside WebSockets of that subprotocol, which 4.0 does not know.
const subprotocols = `DissectorTable.get("ws.protocol"):add("mqtt", Dissector.get("mqtt"))`

// Dissect ends the recording and returns what tshark finds in it: a line for each packet that fits the
// display filter, with the values of fields between tabs, several of one field between commas. Args are
// further arguments of tshark, as "-d" for a protocol that is not on its own port. Without tshark the
// test is skipped, but where CI is set it fails.
func (tap *Tap) Dissect(filter string, fields []string, args ...string) []string {
	tap.t.Helper()
	tap.stop()
	program, err := exec.LookPath("tshark")
	if err != nil {
		if os.Getenv("CI") != "" {
			tap.t.Fatal("no tshark: install Debian's tshark")
		}
		tap.t.Skip("no tshark (Debian's tshark); it is required if CI is set")
	}
	script := filepath.Join(tap.t.TempDir(), "subprotocols.lua")
	if err := os.WriteFile(script, []byte(subprotocols), 0o600); err != nil {
		tap.t.Fatal(err)
	}
	args = append([]string{"-n", "-r", tap.path, "-X", "lua_script:" + script, "-Y", filter}, args...)
	if len(fields) > 0 {
		args = append(args, "-T", "fields")
	}
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	var out, complaints bytes.Buffer
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Run(); err != nil {
		tap.t.Fatalf("tshark %s: %v: %s", strings.Join(args, " "), err, &complaints)
	}
	if out.Len() == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
}

// What of tshark's expert information is a fault, as in suspect (epan/proto.h: PI_ERROR, PI_MALFORMED).
const (
	severityError  = 0x00800000
	groupMalformed = 0x07000000
)

// Count fails the test for each fault that tshark finds, and says how often it finds each value of each
// of the fields: that is how a test knows that the recording holds what it sent, and that tshark
// understood it.
func (tap *Tap) Count(fields []string, args ...string) map[string]map[string]int {
	tap.t.Helper()
	found, faults := tap.read(fields, args)
	for _, fault := range faults {
		tap.t.Errorf("tshark objects to %s", fault)
	}
	return found
}

// Faults are the packets that tshark objects to.
func (tap *Tap) Faults(args ...string) []string {
	tap.t.Helper()
	_, faults := tap.read(nil, args)
	return faults
}

func (tap *Tap) read(fields, args []string) (found map[string]map[string]int, faults []string) {
	tap.t.Helper()
	found = map[string]map[string]int{}
	for _, f := range fields {
		found[f] = map[string]int{}
	}
	expert := []string{"frame.number", "_ws.col.Info", "_ws.expert.severity", "_ws.expert.group", "_ws.expert.message"}
	filter := strings.Join(append([]string{suspect}, fields...), " || ")
	args = append([]string{"-E", "aggregator=|"}, args...)
	for _, line := range tap.Dissect(filter, slices.Concat(expert, fields), args...) {
		columns := strings.Split(line, "\t")
		severity, group, message := strings.Split(columns[2], "|"), strings.Split(columns[3], "|"), strings.Split(columns[4], "|")
		for i := range severity {
			s, _ := strconv.Atoi(severity[i]) // "" is none
			g, _ := strconv.Atoi(group[i])
			if (s >= severityError || g == groupMalformed) && !slices.Contains(tap.Pardon, message[i]) {
				faults = append(faults, line)
			}
		}
		for i, values := range columns[len(expert):] {
			if values == "" {
				continue
			}
			for value := range strings.SplitSeq(values, "|") {
				found[fields[i]][value]++
			}
		}
	}
	return found, faults
}
