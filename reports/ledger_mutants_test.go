package reports

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// ledgerMutant is the ledger with one rule broken: a piece of its source and what replaces it.
type ledgerMutant struct{ name, file, old, new string }

func ledgerMutants() []ledgerMutant {
	return []ledgerMutant{
		{"an answer counts each time", "commands.go", "case n > 1:", "case n > 1 && false:"},
		{"over CoAP the command is an answer", "commands.go", "if coap {", "if coap && false {"},
		{"another device may answer", "commands.go", "|| t.device != s.Stamp.Device", ""},
		{"another run may answer", "commands.go", "s.Stamp.Run != c.run", "false"},
		{"what a broker stored is an answer", "commands.go", "s.Stored != c.coap(fleet)", "false"},
		{"late is in time", "commands.go", "if s.At-t.due <= c.totals.within[i].limit {", "if s.At >= 0 {"},
		{"silence is no error", "commands.go", "Outcome: sim.AppUnanswered,", ""},
		{"refused is sent", "commands.go", "c.totals.Sent--\n\tc.totals.Unsent++", "_ = c.totals"},
		{"refused stays refused", "commands.go", "c.totals.Unsent--\n\t\tc.totals.Sent++", "_ = c.totals"},
		{"duplicates are ignored", "receipt.go", "r.duplicated[c]++", "_ = c"},
		{
			"duplicates of both channels add up", "settle.go",
			"max(far.duplicated[received], far.duplicated[stored])",
			"far.duplicated[received] + far.duplicated[stored]",
		},
		{
			"a copy stored is a copy received", "ledger.go",
			"c, op = stored, sim.OpStorage",
			"c, op = received, sim.OpStorage",
		},
		{"order is that of neighbours", "receipt.go", "any && seq < highest", "any && seq+1 == highest"},
		{"order is not watched", "receipt.go", "r.reordered[c]++", "_ = any"},
		{"what came too early counts as seen", "receipt.go", "if seq >= due {", "if seq >= due && false {"},
		{"other runs count", "ledger.go", "s.Stamp.Run != l.run", "s.Stamp.Run < l.run"},
		{"strays are ignored", "ledger.go", "sh.strays++", "_ = fleet"},
		{"unknown is lost", "settle.go", "case !m.in(inAcked | inSent0):", "case false:"},
		{"unknown is forgotten", "settle.go", "t.Unknown += n", "_ = n"},
		{"QoS 0 is never lost", "settle.go", "!m.in(inAcked | inSent0)", "!m.in(inAcked)"},
		{"phantoms are ignored", "settle.go", "m.in(inPhantom) || m.in(inSeen) && !m.in(inSent)", "false"},
		{
			"phantoms are only what came early", "settle.go",
			"m.in(inPhantom) || m.in(inSeen) && !m.in(inSent)",
			"m.in(inPhantom)",
		},
		{"a phantom raises the highest seen", "settle.go", "if m.in(inSent) && m.in(inSeen) {", "if m.in(inSeen) {"},
		{
			"what lies below the highest seen may be on its way", "settle.go",
			"m.in(inFresh) && (!any || lo > highest)",
			"m.in(inFresh) && (!any || highest >= 0)",
		},
		{"the tail is always lost", "settle.go", "m.in(inFresh) && (!any || lo > highest)", "any && highest < lo && false"},
		{"the tail is always unsettled", "settle.go", "m.in(inFresh) && (!any || lo > highest)", "!any || lo > highest"},
		{
			"the tail forgets when it was sent at QoS 0", "account.go",
			"if a.sent[qos].Add(seq) && qos == 0 {",
			"if a.sent[qos].Add(seq) && false {",
		},
		{"an answer to nothing is an answer", "account.go", "a.sent[1].Has(seq) && a.acked.Add(seq)", "a.acked.Add(seq)"},
		{"what was sent can be dropped", "account.go", "!a.sent[0].Has(seq) && !a.sent[1].Has(seq)", "true"},
		{"stored is not delivered", "settle.go", "case m.in(inSeen):", "case m.in(inReceived):"},
		{"what is not forwarded is not told", "settle.go", "t.Undelivered += n", "_ = n"},
		{"unwatched fleets lose everything", "settle.go", "case !observed.Received && !observed.Stored:", "case false:"},
		{"unsent is dropped", "settle.go", "t.Due - min(t.Due, t.Sent+t.Dropped)", "t.Due - min(t.Due, t.Due)"},
		{"QoS is mixed up", "settle.go", "if m.in(inSent1) {", "if m.in(inSent0) {"},
		{"only brokers with too many are off", "judge_spread.go", ", math.Floor(even)-float64(n)", ""},
		{"a device can be half", "judge_spread.go", "math.Ceil(even), math.Floor(even)-float64(n)", "math.Abs(even), even-float64(n)"},
		{"the spread is that of the last moment", "endpoints.go", "if present >= most {", "if most++; true {"},
		{"the spread is that of the first full moment", "endpoints.go", "if present >= most {", "if present > most {"},
		{"latency counts from the far end", "ledger.go", "Due: at, Ready: at", "Due: s.At, Ready: at"},
	}
}

// TestLedgerMutants builds the ledger with one rule broken at a time and demands that the
// oracle's tests fail.
func TestLedgerMutants(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds the package once per mutant")
	}
	run := func(t *testing.T, overlay, test string) (output string, passed bool) {
		cmd := exec.Command("go", "test", "-short", "-vet=off", "-ldflags=-s -w", "-overlay", overlay,
			"-run", "^"+test+"$", ".")
		out, err := cmd.CombinedOutput()
		return string(out), err == nil
	}
	dir := t.TempDir()
	none := writeFile(t, filepath.Join(dir, "none.json"), []byte(`{"Replace":{}}`))
	if out, passed := run(t, none, "TestLedgerOracle|TestCommands|TestJudgeSpread"); !passed {
		t.Fatalf("the ledger fails as it is:\n%s", out)
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range ledgerMutants() {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := filepath.Join(here, m.file)
			src, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(string(src), m.old); n != 1 {
				t.Fatalf("%s has %q %d times", m.file, m.old, n)
			}
			broken := writeFile(t, filepath.Join(dir, m.file), []byte(strings.Replace(string(src), m.old, m.new, 1)))
			overlay, err := json.Marshal(map[string]map[string]string{"Replace": {path: broken}})
			if err != nil {
				t.Fatal(err)
			}
			test := "TestLedgerOracle"
			switch m.file {
			case "commands.go":
				test = "TestCommands"
			case "judge_spread.go", "endpoints.go":
				test = "TestJudgeSpread"
			}
			out, passed := run(t, writeFile(t, filepath.Join(dir, "overlay.json"), overlay), test)
			if passed {
				t.Fatal("nobody noticed")
			}
			if !strings.Contains(out, "--- FAIL: "+test) {
				t.Fatalf("it failed for another reason:\n%s", out)
			}
		})
	}
}

func writeFile(t *testing.T, path string, content []byte) string {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
