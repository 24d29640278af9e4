package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"
)

// A registry that does not begin to answer within pullAnswer is not waited for; a download that
// has begun may take pullWhole.
const (
	pullAnswer = 10 * time.Second
	pullWhole  = 3 * time.Minute
)

// VersionLocal is the version that names the image which docker/build-local makes.
const VersionLocal = "local"

// choice is the images that may serve as one target, in order of preference.
type choice struct {
	upstream string // reference in a registry; "" is none
	local    string // reference of the image built here; "" is none
}

// image is an image that is present.
type image struct {
	ref    string
	id     string // of its configuration, "sha256:..."
	digest string // of its manifest in the registry; "" if it was built here
	source string // for people
}

// find returns the first image of c that is present, and pulls the upstream one if none is.
func (c choice) find(ctx context.Context, cli *client.Client) (image, error) {
	for _, ref := range []string{c.upstream, c.local} {
		if ref == "" {
			continue
		}
		img, err := c.inspect(ctx, cli, ref)
		if !errdefs.IsNotFound(err) {
			return img, err
		}
	}
	if c.upstream == "" {
		return image{}, fmt.Errorf("image %s is not here; build it with myriad target build, or docker/build-local in a checkout", c.local)
	}
	if err := pull(ctx, cli, c.upstream); err != nil {
		err = fmt.Errorf("image %s is not here and cannot be pulled: %w", c.upstream, err)
		if c.local != "" {
			err = fmt.Errorf("%w; without a registry, build %s with myriad target build "+
				"(as root), or docker/build-local in a checkout", err, c.local)
		}
		return image{}, err
	}
	return c.inspect(ctx, cli, c.upstream)
}

func (c choice) inspect(ctx context.Context, cli *client.Client, ref string) (image, error) {
	res, err := cli.ImageInspect(ctx, ref)
	if err != nil {
		return image{}, fmt.Errorf("inspect image %s: %w", ref, err)
	}
	img := image{ref: ref, id: res.ID, source: "upstream image"}
	if ref == c.local {
		img.source = "built on this machine from Debian packages"
	}
	if len(res.RepoDigests) > 0 {
		img.digest = res.RepoDigests[0]
	}
	return img, nil
}

// pull asks the engine for ref. The engine sends nothing before the registry answers.
func pull(ctx context.Context, cli *client.Client, ref string) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	limit := time.AfterFunc(pullAnswer, func() {
		cancel(fmt.Errorf("the registry did not answer within %v", pullAnswer))
	})
	defer limit.Stop()
	stream, err := cli.ImagePull(ctx, ref, client.ImagePullOptions{})
	if err == nil && limit.Stop() {
		defer stream.Close()
		late := time.AfterFunc(pullWhole, func() { cancel(fmt.Errorf("not done after %v", pullWhole)) })
		defer late.Stop()
		err = stream.Wait(ctx)
	}
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return err
}
