// Package readmodel has what operators run on a read model of feeds: [Rebuild] makes it anew from the write model,
// [Audit] compares and repairs it, and a [Tee] keeps the next version of it beside the one that is read.
package readmodel
