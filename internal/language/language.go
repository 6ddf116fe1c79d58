// Package language says in which language a program speaks to people, and holds what it says in Chinese.
package language

import (
	"cmp"
	"fmt"
	"os"
	"strings"
)

// Chinese reports whether the locale of messages is Chinese, by the precedence that POSIX gives its variables.
func Chinese(env func(string) string) bool {
	locale := cmp.Or(env("LC_ALL"), env("LC_MESSAGES"), env("LANG"))
	language, _, _ := strings.Cut(strings.ToLower(locale), "_")
	language, _, _ = strings.Cut(language, ".")
	return language == "zh" || strings.HasPrefix(language, "zh-")
}

// Speaker says texts in one language. The zero value speaks English.
type Speaker struct {
	dictionaries []map[string]string
}

// Of is a speaker of the language that the environment asks for. The dictionaries hold Chinese by English, and are looked into in order.
func Of(dictionaries ...map[string]string) Speaker {
	if !Chinese(os.Getenv) {
		return Speaker{}
	}
	return Speaker{dictionaries}
}

// Say says a text, with its arguments in place. What no dictionary holds is said in English.
func (s Speaker) Say(text string, args ...any) string {
	for _, d := range s.dictionaries {
		if zh, ok := d[text]; ok {
			text = zh
			break
		}
	}
	if len(args) == 0 {
		return text
	}
	return fmt.Sprintf(text, args...)
}
