// Package examples holds examples to copy and change, with a test that runs each of them.
package examples
