package deploy

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write the golden files")

func deployed() Deployment {
	return Deployment{
		Name: "storm.feature", Line: 3, Workers: 3, Image: "registry.example/myriad:1", Token: "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
		Story:     []byte("Feature: Storm\n\n  Scenario: $(HOME) ${HOME} 'quoted'\n\tGiven: \"x\" # é\n"),
		Arguments: []string{"--seed", "7", "--set", `site=it's $HOME "north"`},
		Hosts:     []string{"load1", "ci@load2"},
	}
}

// What is written is compared byte by byte; -update writes it anew.
func TestGolden(t *testing.T) {
	for kind, names := range map[string]string{
		Compose: "compose.yaml .env storm.feature", Kubernetes: "myriad.yaml", SSH: "run.sh storm.feature",
	} {
		files, err := Files(kind, deployed())
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range files {
			got = append(got, f.Name)
			if bytes.Contains(f.Text, []byte(deployed().Token)) && f.Mode&0o077 != 0 {
				t.Errorf("%s holds the token, and has mode %o", f.Name, f.Mode)
			}
		}
		if s := strings.Join(got, " "); s != names {
			t.Errorf("%s: %s, want %s", kind, s, names)
		}
		path := filepath.Join("testdata", files[0].Name+".golden")
		if *update {
			if err := os.WriteFile(path, files[0].Text, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(want, files[0].Text) {
			t.Errorf("%s is not what Files writes: %v\n%s", path, err, files[0].Text)
		}
	}
}

// The manifests are of the API's own types, field by field: none is unknown or given twice.
func TestKubernetes(t *testing.T) {
	d := deployed()
	files, err := Files(Kubernetes, d)
	if err != nil {
		t.Fatal(err)
	}
	var secret corev1.Secret
	var stories corev1.ConfigMap
	var service corev1.Service
	var coordinator, worker batchv1.Job
	into := []any{&secret, &stories, &service, &coordinator, &worker}
	documents := strings.Split(string(files[0].Text), "\n---\n")
	if len(documents) != len(into) {
		t.Fatalf("%d documents", len(documents))
	}
	for i, text := range documents {
		if err := yaml.UnmarshalStrict([]byte(text+"\n"), into[i]); err != nil {
			t.Errorf("document %d: %v", i, err)
		}
	}
	for _, o := range []struct{ got, want string }{
		{secret.Kind + secret.APIVersion, "Secretv1"}, {stories.Kind + stories.APIVersion, "ConfigMapv1"},
		{service.Kind + service.APIVersion, "Servicev1"}, {coordinator.Kind + coordinator.APIVersion, "Jobbatch/v1"},
		{worker.Kind + worker.APIVersion, "Jobbatch/v1"}, {secret.StringData["token"], d.Token}, {stories.Data[d.Name], string(d.Story)},
	} {
		if o.got != o.want {
			t.Errorf("%q, want %q", o.got, o.want)
		}
	}
	for k, v := range service.Spec.Selector {
		if coordinator.Spec.Template.Labels[k] != v {
			t.Errorf("the service selects %s=%s, which the coordinator's pod has not", k, v)
		}
	}
	w := worker.Spec
	if *w.Completions != 3 || *w.Parallelism != 3 || *w.CompletionMode != batchv1.IndexedCompletion ||
		*w.BackoffLimit != 0 || *w.PodReplacementPolicy != batchv1.Failed {
		t.Errorf("%+v", w)
	}
	args := strings.Join(coordinator.Spec.Template.Spec.Containers[0].Args, "\n")
	want := "run\nstorm.feature:3\n--workers=0\n--expect=3\n--listen=0.0.0.0:4222\n--muster=10m\n--out=/runs/result\n--seed\n7\n--set\n" +
		`site=it's $$HOME "north"` // two are one to Kubernetes
	if args != want {
		t.Errorf("%s\nwant\n%s", args, want)
	}
	join := w.Template.Spec.Containers[0].Args[1]
	if join != "--join=tls://"+service.Name+":4222" || service.Spec.Ports[0].Port != 4222 {
		t.Errorf("%s, service %s, port %d", join, service.Name, service.Spec.Ports[0].Port)
	}
	for _, j := range []*batchv1.Job{&coordinator, &worker} {
		pod := j.Spec.Template.Spec
		env := pod.Containers[0].Env[0]
		if pod.RestartPolicy != corev1.RestartPolicyNever || env.Name != "MYRIAD_TOKEN" || env.ValueFrom.SecretKeyRef.Name != secret.Name ||
			pod.Containers[0].Image != d.Image || len(pod.Containers[0].Resources.Requests) != 2 {
			t.Errorf("%s: %+v", j.Name, pod)
		}
	}
}

// A story comes out of the YAML as it went in, whatever is in it.
func FuzzYAMLBlock(f *testing.F) {
	for _, s := range []string{"a\n", "  a\n b\n", "\n\na\n", "a", "a\n\n", "\n", " \n", "\ta\n", "a\r\nb\n", "---\n", "# a\n", "\u2028\n", "\ufeffa\n", "a \n  \n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		s = strings.ToValidUTF8(s, "?")
		block, err := yamlBlock(4, []byte(s))
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			Data map[string]string `json:"data"`
		}
		if err := yaml.UnmarshalStrict([]byte("data:\n  k: "+block+"\nother: 1\n"), &got); err != nil && !strings.Contains(err.Error(), "other") {
			t.Fatalf("%q: %v", s, err)
		}
		if err := yaml.Unmarshal([]byte("data:\n  k: "+block+"\nother: 1\n"), &got); err != nil || got.Data["k"] != s {
			t.Errorf("%q became %q: %v", s, got.Data["k"], err)
		}
	})
}

func TestRefuses(t *testing.T) {
	for want, change := range map[string]func(d *Deployment) string{
		`"heroku": write compose, k8s or ssh`: func(*Deployment) string { return "heroku" },
		"0 workers":                           func(d *Deployment) string { d.Workers = 0; return Compose },
		"is empty":                            func(d *Deployment) string { d.Story = nil; return Compose },
		"is not UTF-8":                        func(d *Deployment) string { d.Story = []byte{0xff}; return Kubernetes },
		"name it with letters":                func(d *Deployment) string { d.Name = "../x.feature"; return Compose },
		"the token must be":                   func(d *Deployment) string { d.Token = "a b"; return Compose },
		"ConfigMap holds 1 MiB":               func(d *Deployment) string { d.Story = make([]byte, 1<<20); return Kubernetes },
		"ssh needs hosts":                     func(d *Deployment) string { d.Hosts = nil; return SSH },
		`host "-oProxyCommand=x"`:             func(d *Deployment) string { d.Hosts = []string{"-oProxyCommand=x"}; return SSH },
	} {
		d := deployed()
		if _, err := Files(change(&d), d); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func TestShell(t *testing.T) {
	files, err := Files(SSH, deployed())
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command("sh", "-n")
	c.Stdin = bytes.NewReader(files[0].Text)
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
