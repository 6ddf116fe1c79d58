package main

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// alarm wakes its goroutine on time. Go's own timers wait in epoll_wait where nothing else is to be done, which counts in whole
// milliseconds; a timer of the kernel's is a file that becomes readable, to some ten microseconds.
type alarm struct{ f *os.File }

func newAlarm() (*alarm, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make a timer: %w", err)
	}
	return &alarm{os.NewFile(uintptr(fd), "timer")}, nil
}

// until returns at a moment, at once if it has passed.
func (a *alarm) until(at time.Time) error {
	d := time.Until(at)
	if d <= 0 {
		return nil
	}
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(d.Nanoseconds())}
	var buf [8]byte
	var set error
	c, err := a.f.SyscallConn()
	if err == nil {
		err = c.Control(func(fd uintptr) { set = unix.TimerfdSettime(int(fd), 0, &spec, nil) })
	}
	if err == nil {
		err = set
	}
	if err == nil {
		_, err = a.f.Read(buf[:])
	}
	return err
}
