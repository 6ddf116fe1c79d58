// Package catalog holds peak facts: which accelerator model a vendor's tool means by a name, what that model's dense
// peaks are by precision, and what a processor does per cycle and core. The tables are CSV, embedded, and can be
// overridden by a file; docs/catalogue.md describes their conventions.
package catalog
