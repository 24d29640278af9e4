// Package identity makes the keys and certificates of a run. Everything that a device is follows from
// (seed, fleet, ordinal): nothing is searched, stored or shared, so that any process mints the same
// bytes for the same device whenever they are needed and drops them afterwards. A fleet of a million
// holds no certificate while it is idle.
//
// The keys are those of a rehearsal. A seed has 64 bits and stands in reports: who knows it can be
// any device, and the authority too. Trust the authority on test systems only.
//
// Hand-made is only how keys are derived; keys, certificates and signatures are the standard
// library's. Signatures are deterministic (RFC 6979), so that certificates are, too.
package identity
