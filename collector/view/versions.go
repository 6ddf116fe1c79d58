package view

import (
	"slices"
	"strings"
)

// versions are those of something that parts were summed up by. They are one, but while owners read a new one, one after the other.
type versions []string

// add notes a version.
func (v *versions) add(one string) {
	if !slices.Contains(*v, one) {
		*v = append(*v, one)
	}
}

// String joins them in ascending order; "none" stands for an empty one among others.
func (v *versions) String() string {
	if len(*v) == 1 {
		return (*v)[0]
	}
	all := slices.Clone(*v)
	if i := slices.Index(all, ""); i >= 0 {
		all[i] = "none"
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}
