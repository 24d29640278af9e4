// Package docker describes the services that Myriad brings up in containers: which image, which
// configuration, how it says its version. Each is one Go file here and one folder, with its
// configuration and the Dockerfile that docker/build-local builds where no registry answers. The
// descriptions are data: package docker/engine starts what they describe, and the table in
// scenarios/targets says which of them a target is made of.
package docker
