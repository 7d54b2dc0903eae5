// Package readmodel maintains read models of feeds. [Rebuild] makes a read model from the write model. [Audit] compares the two
// and repairs differences. [Purge] removes old tombstones. A [Tee] fills the next version of a read model beside the present
// one. The guide is docs/rebuild.md.
package readmodel
