package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/exameter/exameter/telemetry"
)

// Names of the files in the state directory, and their bound.
const (
	devicesFile  = "devices.json"
	ordersFile   = "drain.json"
	maxFile      = 4 << 20
	storeVersion = 1
)

// DefaultDir is the state directory where nothing is configured.
const DefaultDir = "/var/lib/exameter-agent"

// Store keeps what must survive a restart of the agent in a directory: the devices it has seen and the orders it was
// given. Files are replaced whole and synced; one that cannot be understood is set aside under another name.
type Store struct {
	Dir string
	// Look leaves what is in the directory as it is, also what cannot be understood: for whoever only looks.
	Look bool

	orders os.FileInfo // of the orders file as last read
}

// Device is what is remembered of one device.
type Device struct {
	Info    telemetry.DeviceInfo `json:"info"`
	Source  string               `json:"source"`
	Seen    time.Time            `json:"seen"`               // when it came, or came back
	Missing bool                 `json:"missing,omitempty"`  // it was missing when this was written
	Faults  []Fault              `json:"faults,omitempty"`   // fatal XIDs that still stand, oldest first
	ECCBase int64                `json:"ecc_base,omitempty"` // uncorrected errors that an operator acknowledged
	Acked   time.Time            `json:"acked,omitzero"`     // when an operator last did
	// Names is what each source that sees the device calls it: Info.ID is the name that it had first.
	Names map[string]string `json:"names,omitempty"`
}

// Fault is a fatal XID error, with what its end is told by.
type Fault struct {
	XID        int64     `json:"xid"`
	At         time.Time `json:"at"`
	Boot       string    `json:"boot"`
	Generation int64     `json:"generation"`
}

type devicesDoc struct {
	Version int      `json:"version"`
	Devices []Device `json:"devices"`
}

// ErrCorrupt says that a file was not understood.
var ErrCorrupt = errors.New("not understood")

// Devices reads the remembered devices. On an error wrapping ErrCorrupt the file has been set aside, and the next
// SaveDevices starts afresh.
func (s *Store) Devices() ([]Device, error) {
	var doc devicesDoc
	_, err := s.load(devicesFile, &doc, func() error { return version(doc.Version) })
	if err != nil {
		return nil, err
	}
	return doc.Devices, nil
}

// SaveDevices replaces the remembered devices.
func (s *Store) SaveDevices(d []Device) error {
	return s.save(devicesFile, devicesDoc{Version: storeVersion, Devices: d})
}

// Orders reads the orders, and whether they may have changed since they were last read; unchanged ones are not read
// again and come back empty. On an error wrapping ErrCorrupt the file has been set aside, and yet it stays where it is until SaveOrders
// replaces it: no file would mean that there are no orders.
func (s *Store) Orders() (o Orders, changed bool, err error) {
	info, err := os.Stat(filepath.Join(s.Dir, ordersFile))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		changed = s.orders != nil
		s.orders = nil
		return o, changed, nil
	case err != nil:
		return o, false, fmt.Errorf("read the orders: %w", err)
	}
	if s.orders != nil && os.SameFile(s.orders, info) && s.orders.ModTime().Equal(info.ModTime()) && s.orders.Size() == info.Size() {
		return o, false, nil
	}
	info, err = s.load(ordersFile, &o, func() error { return version(o.Version) })
	if err != nil {
		return Orders{}, errors.Is(err, ErrCorrupt), err
	}
	s.orders = info
	return o, true, nil
}

// EditOrders changes the orders under a lock, so that two commands at a time do not undo each other.
//
// Where the orders standing were not understood, the host is drained until it is undrained: an order that was lost must
// not hand anything out.
func (s *Store) EditOrders(now time.Time, edit func(*Orders) error) error {
	return s.locked(0, func() error {
		var o Orders
		_, err := s.load(ordersFile, &o, func() error { return version(o.Version) })
		if errors.Is(err, ErrCorrupt) {
			o = Distrust(now)
		} else if err != nil {
			return err
		}
		if err := edit(&o); err != nil {
			return err
		}
		return s.SaveOrders(o)
	})
}

// KeepOrders puts orders in place of ones that were not understood or are gone, unless somebody has done so meanwhile, or does so now.
func (s *Store) KeepOrders(o Orders) error {
	err := s.locked(unix.LOCK_NB, func() error {
		var there Orders
		info, err := s.load(ordersFile, &there, func() error { return version(there.Version) })
		if info != nil || err != nil && !errors.Is(err, ErrCorrupt) {
			return err
		}
		return s.SaveOrders(o)
	})
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil
	}
	return err
}

// locked does something while nobody else changes the orders.
func (s *Store) locked(how int, do func() error) error {
	dir, err := os.Open(s.Dir)
	if err != nil {
		return fmt.Errorf("open the state directory: %w", err)
	}
	defer dir.Close() // and with it goes the lock
	if err := unix.Flock(int(dir.Fd()), unix.LOCK_EX|how); err != nil {
		return fmt.Errorf("lock the state directory: %w", err)
	}
	return do()
}

// Distrust are the orders in place of ones that were not understood: nothing is handed out until an operator says so.
func Distrust(now time.Time) Orders {
	return Orders{Host: &Drain{Reason: "the orders in " + ordersFile + " were not understood; undrain, or drain again", Since: now}}
}

// SaveOrders replaces the orders.
func (s *Store) SaveOrders(o Orders) error {
	o.Version = storeVersion
	return s.save(ordersFile, o)
}

// Writable reports why the agent could not keep anything in the directory.
func (s *Store) Writable() error {
	f, err := os.CreateTemp(s.Dir, ".check-*")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// sweepAfter is how old a file must be that is half written before nobody is writing it any more.
const sweepAfter = time.Minute

// Sweep removes what a process left that was killed while it wrote.
func (s *Store) Sweep(now time.Time) error {
	var errs []error
	for _, pattern := range []string{"." + devicesFile + "-*", "." + ordersFile + "-*", ".check-*"} {
		left, err := filepath.Glob(filepath.Join(s.Dir, pattern))
		errs = append(errs, err)
		for _, path := range left {
			if info, err := os.Lstat(path); err == nil && now.Sub(info.ModTime()) > sweepAfter {
				errs = append(errs, os.Remove(path))
			}
		}
	}
	return errors.Join(errs...)
}

// load reads a file into v. A file that is absent leaves v as it is.
func (s *Store) load(name string, v any, check func() error) (os.FileInfo, error) {
	path := filepath.Join(s.Dir, name)
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0) // a pipe in its place must not hold up whoever reads
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	var b []byte
	if info.Mode()&fs.ModeNamedPipe == 0 {
		if b, err = io.ReadAll(io.LimitReader(f, maxFile+1)); err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
	}
	if len(b) > maxFile {
		err = fmt.Errorf("more than %d bytes", maxFile)
	} else if err = json.Unmarshal(b, v); err == nil {
		err = check()
	}
	if err == nil {
		return info, nil
	}
	if s.Look {
		return nil, fmt.Errorf("%s is %w (%v)", path, ErrCorrupt, err)
	}
	aside := path + ".corrupt"
	if e := setAside(path, aside, name == ordersFile); e != nil {
		return nil, fmt.Errorf("%s is %w (%v) and could not be set aside: %v", path, ErrCorrupt, err, e)
	}
	return nil, fmt.Errorf("%s is %w (%v) and was set aside as %s", path, ErrCorrupt, err, aside)
}

// setAside gives a file another name, beside its own where it is to stay.
func setAside(path, aside string, stay bool) error {
	if !stay {
		return os.Rename(path, aside)
	}
	if err := os.Remove(aside); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Link(path, aside)
}

// save replaces a file whole: after a crash there is the old one or the new one.
func (s *Store) save(name string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	f, err := os.CreateTemp(s.Dir, "."+name+"-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	defer os.Remove(f.Name()) // of no effect after the rename
	_, err = f.Write(append(b, '\n'))
	// The agent and the operator's commands run as different users and read each other's files.
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(s.Dir, name))
	}
	if err == nil {
		err = syncDir(s.Dir)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func version(v int) error {
	if v != storeVersion {
		return fmt.Errorf("version %d, want %d", v, storeVersion)
	}
	return nil
}
