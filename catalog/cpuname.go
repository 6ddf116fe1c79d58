package catalog

import (
	"regexp"
	"strings"

	"github.com/exameter/exameter/telemetry"
)

// foldName folds the blanks of a processor's name. A name beyond what the wire admits is no name.
func foldName(name string) string {
	if len(name) > telemetry.MaxName {
		return ""
	}
	return strings.Join(strings.Fields(name), " ")
}

// decoration is what vendors put around a model's name: trade marks, the clock, the number of cores.
var decoration = regexp.MustCompile(`(?i)\((?:r|tm)\)|@.*$|\b(?:[0-9]{1,3}|dual|quad|six|eight|twelve|sixteen)-core\b|\bprocessor\b|\bcpu\b`)

// bareName takes the decoration off a processor's name: "Intel Xeon Platinum 8480+", "AMD EPYC 9654".
func bareName(name string) string {
	return strings.Join(strings.Fields(decoration.ReplaceAllString(foldName(name), " ")), " ")
}

// tellsModel reports whether a bare name names a model, by the number that every model has: "AMD EPYC 9R14" does,
// "AMD EPYC-Milan", "Intel Xeon" and "QEMU Virtual version 2.5+" do not.
func tellsModel(bare string) bool {
	for word := range strings.FieldsSeq(bare) {
		digits := 0
		for i := range len(word) {
			if word[i] >= '0' && word[i] <= '9' {
				digits++
			}
		}
		if digits >= 3 && !strings.Contains(word, ".") {
			return true
		}
	}
	return false
}
