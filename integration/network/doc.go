// Package network has tests on networks that are cut or slow, as no proxy in a process can make them: each runs in a network
// of its own, with the kernel's TCP on both ends. They need Linux, with unshare, ip, iptables and tc, and leave to be root or
// to have user namespaces.
package network
