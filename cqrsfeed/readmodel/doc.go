// Package readmodel maintains read models of feeds. [Rebuild] makes a read model from the write model. [Audit] compares the two
// and repairs differences. [Purge] removes old tombstones. The guide is
// docs/rebuild.md.
package readmodel
