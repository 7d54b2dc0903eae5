// Package readmodel has what operators run on a read model of feeds. [Rebuild] makes it from the write model, [Audit]
// compares the two and repairs what differs, and a [Tee] fills the next version of a read model beside the present
// one. The guide is docs/rebuild.md.
package readmodel
