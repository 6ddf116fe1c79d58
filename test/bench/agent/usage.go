package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// ticksPerSecond is USER_HZ, which Linux holds at 100 on every architecture that Go runs on.
const ticksPerSecond = 100

// usage is what a process has used so far, or uses.
type usage struct {
	at       time.Time
	cpu      time.Duration // user and system time since its start
	resident int64         // bytes, as VmRSS counts
	share    int64         // bytes, pages shared with others counted in parts (Pss)
}

func read(pid int) (usage, error) {
	u := usage{at: time.Now()}
	dir := fmt.Sprintf("/proc/%d/", pid)
	stat, err := os.ReadFile(dir + "stat")
	if err != nil {
		return u, err
	}
	// The name in parentheses may hold anything, so counting begins after it; utime and stime are the 14th and 15th.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(fields) < 13 {
		return u, fmt.Errorf("%sstat has %d fields after the name", dir, len(fields))
	}
	for _, f := range fields[11:13] {
		ticks, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return u, fmt.Errorf("%sstat: %w", dir, err)
		}
		u.cpu += time.Duration(ticks) * time.Second / ticksPerSecond
	}
	if u.resident, err = kilobytes(dir+"status", "VmRSS:"); err != nil {
		return u, err
	}
	u.share, err = kilobytes(dir+"smaps_rollup", "Pss:")
	return u, err
}

// kilobytes reads a line "key  123 kB" of a file, in bytes.
func kilobytes(file, key string) (int64, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if rest, found := strings.CutPrefix(line, key); found {
			n, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			if err != nil {
				return 0, fmt.Errorf("%s: %w", file, err)
			}
			return n << 10, nil
		}
	}
	return 0, fmt.Errorf("%s has no line %s", file, key)
}
