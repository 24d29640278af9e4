package engine

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"

	"github.com/myriad-iot/myriad/docker"
	"github.com/myriad-iot/myriad/sim"
)

// firstHost is the last byte of the first node's address in the network of a cluster.
const firstHost = 11

// networkTries is how often a network is made anew when another one takes its addresses meanwhile.
const networkTries = 3

// ownNetwork is the network of a cluster. Its nodes have names and addresses there that outlive them: the balancer of a
// native engine is outside, in the host's network, where nobody would tell it of a new address.
type ownNetwork struct {
	cli  *client.Client
	id   string
	name string
	all  netip.Prefix
}

// place is where a container is in such a network.
type place struct {
	network string
	name    string // of the container there
	address netip.Addr
	hosts   []string // "name:address" of all others, whether they run or not
}

// clustered reports whether the containers are a cluster.
func (t *Target) clustered() bool {
	return len(t.Containers) > 0 && t.Containers[0].Node > 0
}

// wire makes the network of a cluster and gives each of its containers a place there.
func (t *Target) wire(ctx context.Context) error {
	if !t.clustered() {
		return nil
	}
	if t.Joined == nil {
		return errors.New("engine: Target.Joined is not set")
	}
	cli, err := connect(ctx)
	if err != nil {
		return err
	}
	if t.net, err = newNetwork(ctx, cli, ownerLabels(t.Run)); err != nil {
		return errors.Join(err, cli.Close())
	}
	var peers []docker.Peer
	var hosts []string
	at := t.net.first()
	for _, b := range t.boxes {
		if !b.recipe.inside {
			continue
		}
		p := &place{network: t.net.name, name: b.what.Service.Name, address: at}
		if b.what.Node > 0 {
			p.name = docker.HostName(b.what.Node)
			peers = append(peers, docker.Peer{Host: p.name, Address: at.String(), Listeners: b.listeners})
		}
		hosts = append(hosts, p.name+":"+at.String())
		b.recipe.place, at = p, at.Next()
	}
	cookie := rand.Text()
	for _, b := range t.boxes {
		b.setup.Peers, b.setup.Cookie = peers, cookie
		if p := b.recipe.place; p != nil {
			p.hosts = hosts
		}
	}
	return nil
}

// newNetwork makes a network. Docker lets containers choose their addresses only in one whose addresses were chosen, too, and
// knows which are free: so it chooses, for a network that is removed again, and the next one takes those.
func newNetwork(ctx context.Context, cli *client.Client, labels map[string]string) (*ownNetwork, error) {
	var err error
	for range networkTries {
		n := &ownNetwork{cli: cli, name: "myriad-" + strings.ToLower(rand.Text()[:10])}
		if err = n.make(ctx, nil, labels); err != nil {
			return nil, err
		}
		if err = n.look(ctx); err == nil {
			err = n.remove(ctx)
		}
		if err != nil {
			return nil, errors.Join(err, n.remove(ctx))
		}
		if err = n.make(ctx, &network.IPAM{Config: []network.IPAMConfig{{Subnet: n.all}}}, labels); err == nil {
			return n, nil
		}
	}
	return nil, err
}

func (n *ownNetwork) make(ctx context.Context, addresses *network.IPAM, labels map[string]string) error {
	made, err := n.cli.NetworkCreate(ctx, n.name, client.NetworkCreateOptions{Driver: "bridge", IPAM: addresses, Labels: labels})
	if err != nil {
		return fmt.Errorf("create a network: %w", err)
	}
	n.id = made.ID
	return nil
}

// look finds out which addresses the network has.
func (n *ownNetwork) look(ctx context.Context) error {
	found, err := n.cli.NetworkInspect(ctx, n.id, client.NetworkInspectOptions{})
	if err != nil {
		return fmt.Errorf("look at a network: %w", err)
	}
	for _, c := range found.Network.IPAM.Config {
		if c.Subnet.Addr().Is4() && c.Subnet.Contains(addressIn(c.Subnet, firstHost+docker.MaxNodes+1)) {
			n.all = c.Subnet.Masked()
			return nil
		}
	}
	return errors.New("the engine gave a network too few IPv4 addresses for a cluster")
}

// first is the address of the first node.
func (n *ownNetwork) first() netip.Addr { return addressIn(n.all, firstHost) }

// addressIn is the n-th address of a prefix of IPv4, n being below 256.
func addressIn(p netip.Prefix, n int) netip.Addr {
	a := p.Masked().Addr().As4()
	a[3] += byte(n)
	return netip.AddrFrom4(a)
}

// remove removes the network, even when ctx is over. One that is gone is success.
func (n *ownNetwork) remove(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer cancel()
	return removeNetwork(ctx, n.cli, n.id)
}

// close removes the network and says goodbye to the engine.
func (n *ownNetwork) close(ctx context.Context) error {
	return errors.Join(n.remove(ctx), n.cli.Close())
}

func removeNetwork(ctx context.Context, cli *client.Client, id string) error {
	_, err := cli.NetworkRemove(ctx, id, client.NetworkRemoveOptions{})
	if err != nil && !errdefs.IsNotFound(err) {
		return fmt.Errorf("remove network %.12s: %w", id, err)
	}
	return nil
}

// sweepNetworks removes the networks that a killed process left behind, when their containers are gone.
func sweepNetworks(ctx context.Context, cli *client.Client, log *slog.Logger) error {
	list, err := cli.NetworkList(ctx, client.NetworkListOptions{Filters: make(client.Filters).Add("label", labelMark+"=1")})
	if err != nil {
		return fmt.Errorf("list networks: %w", err)
	}
	var errs []error
	for _, n := range list.Items {
		if !orphaned(n.Labels) {
			continue
		}
		log.Info("removing a network that a killed run left behind", "network", n.Name, "run", n.Labels[labelRun], "pid", n.Labels[labelPID])
		errs = append(errs, removeNetwork(ctx, cli, n.ID))
	}
	return errors.Join(errs...)
}

// settle puts a container there.
func (p *place) settle(r *testcontainers.ContainerRequest) {
	r.Networks = []string{p.network}
	r.ConfigModifier = func(c *container.Config) { c.Hostname = p.name }
	r.EndpointSettingsModifier = func(all map[string]*network.EndpointSettings) {
		for _, at := range all {
			at.IPAMConfig = p.endpoint().IPAMConfig
		}
	}
}

// cut takes the container out of its network, or puts it there again.
func (b *box) cut(ctx context.Context, off bool) error {
	p := b.recipe.place
	if p == nil {
		return errors.New("cut: it has no network of its own")
	}
	var err error
	if off {
		_, err = b.cli.NetworkDisconnect(ctx, p.network, client.NetworkDisconnectOptions{Container: b.id, Force: true})
	} else {
		_, err = b.cli.NetworkConnect(ctx, p.network, client.NetworkConnectOptions{Container: b.id, EndpointConfig: p.endpoint()})
	}
	if err != nil {
		return fmt.Errorf("cut: %w", err)
	}
	return nil
}

// endpoint is how a container is there: at its address.
func (p *place) endpoint() *network.EndpointSettings {
	return &network.EndpointSettings{IPAMConfig: &network.EndpointIPAMConfig{IPv4Address: p.address}}
}

// host gives a container the names of all others: Docker's own names are those of containers that run.
func (p *place) host(h *container.HostConfig) {
	h.NetworkMode, h.ExtraHosts = container.NetworkMode(p.network), p.hosts
}

// join returns when the nodes of a cluster are one.
func (t *Target) join(ctx context.Context) error {
	if !t.clustered() {
		return nil
	}
	var nodes []sim.Endpoints
	for _, b := range t.boxes {
		if b.what.Node > 0 {
			nodes = append(nodes, b.endpoints())
		}
	}
	limit := t.boxes[0].patience()
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("not one cluster within %v", limit))
	defer cancel()
	for {
		try, done := context.WithTimeout(ctx, tryTimeout)
		err := t.Joined(try, nodes)
		done()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		case <-time.After(tryPause):
		}
	}
}
