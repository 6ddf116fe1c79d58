// Package examples holds examples to copy and change. Its test runs each of them.
package examples
