// Command serve mounts a slow disk, as the package slowdisk asks for it: settings come as JSON, one a line, and each is answered with a line.
// It unmounts and ends when there is no more input.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"github.com/exameter/exameter/test/slowdisk"
)

func main() {
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "slowdisk:", err)
		os.Exit(1)
	}
}

func run(below, at string) error {
	root, err := fs.NewLoopbackRoot(below)
	if err != nil {
		return err
	}
	second := time.Second
	d := &disk{RawFileSystem: fs.NewNodeFS(root, &fs.Options{EntryTimeout: &second, AttrTimeout: &second, NullPermissions: true}), changed: make(chan struct{})}
	server, err := fuse.NewServer(d, at, &fuse.MountOptions{
		FsName: "slowdisk", Name: "slowdisk", DirectMountStrict: true,
		// Else the kernel reads and writes what lies below by itself.
		DisabledCapabilities: fuse.CAP_PASSTHROUGH,
	})
	if err != nil {
		return fmt.Errorf("mount: %w", err)
	}
	go server.Serve()
	if err := server.WaitMount(); err != nil {
		return err
	}
	for in := json.NewDecoder(os.Stdin); ; {
		var s slowdisk.Settings
		if err := in.Decode(&s); err != nil {
			break
		}
		d.set(s)
		fmt.Println("so be it")
	}
	// Whoever still waits is let go of when this process ends.
	return unix.Unmount(at, unix.MNT_DETACH)
}
