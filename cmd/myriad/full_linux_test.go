package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/reports/render"
	"github.com/myriad-iot/myriad/sim/rehearsal"
)

// smallDisk is a file system of so many bytes, in memory. Who may not mount one cannot run the test.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("mount a file system of %s bytes: %v", size, err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}

// A disk that fills while a story runs ends the run, which says so at once, tells its verdict first, and waits for
// nothing that cannot come.
func TestD3_9_ADiskThatFillsEndsTheRun(t *testing.T) {
	myriad, dir := program(t), smallDisk(t, "64k")
	story := filepath.Join(t.TempDir(), "s.feature")
	text := strings.NewReplacer("40", "200", "every 200ms", "every 100ms", "runs for 2s", "runs for 5m").Replace(brief)
	if err := os.WriteFile(story, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(myriad, "run", story, "--out", filepath.Join(dir, "out"))
	c.Env = append(os.Environ(), "CI=true")
	said := new(timed)
	c.Stdout, c.Stderr = said, said
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	limit := time.AfterFunc(4*time.Minute, func() { _ = c.Process.Kill() }) // less than the story's length
	defer limit.Stop()
	_ = c.Wait()
	ended := time.Now()
	told, verdict, lost := said.when("cannot be kept any more: "), said.when("INVALID: ", "ABORTED: "), said.when("has no report, and what is said above is all there is")
	if c.ProcessState.ExitCode() != exitInvalid || told.IsZero() || verdict.IsZero() || lost.IsZero() {
		t.Fatalf("%v: %s", c.ProcessState, said.String())
	}
	if verdict.Before(told) || lost.Before(verdict) || ended.Sub(told) > 30*time.Second {
		t.Errorf("told at %v, verdict at %v, without report at %v, ended at %v: %s", told, verdict, lost, ended, said.String())
	}
}

// timed is output of which it is known when a text came. It is for one goroutine at a time, as an exec.Cmd's is that
// has the same writer twice.
type timed struct {
	text []byte
	at   []time.Time // of each byte
}

func (w *timed) Write(b []byte) (int, error) {
	for range b {
		w.at = append(w.at, time.Now())
	}
	w.text = append(w.text, b...)
	return len(b), nil
}

func (w *timed) String() string { return string(w.text) }

// when is when one of the texts came first; zero if none did.
func (w *timed) when(texts ...string) time.Time {
	for _, text := range texts {
		if i := strings.Index(w.String(), text); i >= 0 {
			return w.at[i]
		}
	}
	return time.Time{}
}

// What workers shipped makes room for the result when there is none.
func TestD3_9_TheResultGoesBeforeWhatItIsMadeOf(t *testing.T) {
	dir := filepath.Join(smallDisk(t, "1m"), "out")
	out, err := render.Take(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if err := out.Renew(render.BusFolder); err != nil {
		t.Fatal(err)
	}
	shipped := filepath.Join(dir, render.BusFolder, "shipped")
	if err := os.WriteFile(shipped, make([]byte, 2<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	run := sampleRun(t)
	var said bytes.Buffer
	c := rootCommand()
	c.SetOut(&said)
	c.SetErr(&said)
	err = finish(c, &rehearsal.Outcome{Run: *run}, false, &rehearsal.Display{W: &said}, out)
	if err := errors.Join(err, reported(dir)); err != nil || !strings.Contains(said.String(), "result  ") {
		t.Errorf("%v: %s", err, said.String())
	}
}
