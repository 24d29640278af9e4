//go:build !unix

package coap

import "net"

func (r *receiver) open(d *Dialer, conn net.Conn) {
	r.d, r.conn = d, conn
	r.secured, _ = conn.(*secured)
}
