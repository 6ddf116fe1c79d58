package drm

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/exameter/exameter/agent/kernelfile"
)

// kfd is AMD's compute driver, through which every ROCm process works: its list of devices, one for each partition of
// a card, and its processes with their queues. See drivers/gpu/drm/amd/amdkfd/kfd_topology.c and kfd_process.c.
type kfd struct {
	dir    string
	nodes  map[string][]int64 // ids of the devices by PCI address without function
	hidden bool               // some are kept from this process, so that none can be told
}

// Bounds of what is read of the compute driver.
const (
	maxPIDs   = 4096
	maxQueues = 8192 // of all processes together
)

// usage is the processes with a queue, by device of the compute driver. Nil: not known.
type usage map[int64]map[int64]bool

// list reads the devices. Without the driver there are none, which is no error. Where a control group keeps one from this
// process, nothing is concluded about any: its card may have more partitions than can be seen.
func (k *kfd) list() error {
	k.nodes, k.hidden = map[string][]int64{}, false
	dir := filepath.Join(k.dir, "topology/nodes")
	names, err := children(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("listing the devices of the compute driver: %w", err)
	}
	for _, name := range names {
		id, slot, err := node(filepath.Join(dir, name))
		switch {
		case err == nil && slot != "":
			k.nodes[slot] = append(k.nodes[slot], id)
		case err == nil, errors.Is(err, fs.ErrNotExist):
		case errors.Is(err, fs.ErrPermission):
			k.nodes, k.hidden = map[string][]int64{}, true
			return nil
		default:
			k.nodes = map[string][]int64{}
			return fmt.Errorf("reading a device of the compute driver: %w", err)
		}
	}
	return nil
}

// node reads one device: its id and the PCI address of its card, which a processor does not have.
func node(dir string) (id int64, slot string, err error) {
	v, err := kernelfile.ReadUint(filepath.Join(dir, "gpu_id"))
	if err != nil || v == 0 || v > maxCounter { // 0 is a processor
		return 0, "", err
	}
	b, err := kernelfile.Head(filepath.Join(dir, "properties"), 16<<10)
	if err != nil {
		return 0, "", err
	}
	slot, ok := place(b)
	if !ok {
		return 0, "", fmt.Errorf("%s/properties: no place on the PCI bus", dir)
	}
	return int64(v), slot, nil
}

// place finds the PCI address, without the function, among a device's properties: lines of a name and a number. The
// function's bits hold the number of the partition.
func place(properties []byte) (slot string, ok bool) {
	var location, domain uint64
	for text := range bytes.Lines(properties) {
		key, value, _ := bytes.Cut(bytes.TrimSpace(text), []byte(" "))
		v, err := strconv.ParseUint(string(value), 10, 32)
		if err != nil {
			continue
		}
		switch string(key) {
		case "location_id":
			location, ok = v&0xffff, true
		case "domain":
			domain = v
		}
	}
	return fmt.Sprintf("%04x:%02x:%02x", domain, location>>8, location>>3&0x1f), ok
}

// use reads which processes have a queue on which device. The kernel shows them to everybody, those of containers too.
// Processes come and go meanwhile: what has gone has no queue. What cannot be read makes all of it unknown.
func (k *kfd) use() (usage, error) {
	if len(k.nodes) == 0 {
		return nil, nil
	}
	dir := filepath.Join(k.dir, "proc")
	pids, err := children(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // a kernel that does not show them yet
	}
	if err != nil {
		return nil, fmt.Errorf("listing the processes of the compute driver: %w", err)
	}
	if len(pids) > maxPIDs {
		return nil, fmt.Errorf("the compute driver has %d processes: more than %d are not counted", len(pids), maxPIDs)
	}
	u, left := usage{}, maxQueues
	for _, name := range pids {
		pid, err := strconv.ParseInt(name, 10, 64)
		if err != nil {
			continue
		}
		if left, err = u.add(pid, filepath.Join(dir, name, "queues"), left); err != nil {
			return nil, err
		}
	}
	return u, nil
}

// add counts the queues of one process, of which there may be so many at most, and returns how many are left.
func (u usage) add(pid int64, dir string, left int) (int, error) {
	queues, err := children(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return left, fmt.Errorf("listing the queues of process %d: %w", pid, err)
	}
	if left -= len(queues); left < 0 {
		return left, fmt.Errorf("the compute driver has more than %d queues: processes are not counted", maxQueues)
	}
	for _, q := range queues {
		id, err := kernelfile.ReadUint(filepath.Join(dir, q, "gpuid"))
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENODEV) {
			continue
		}
		if err != nil || id > maxCounter {
			return left, fmt.Errorf("queue %s of process %d: %w", q, pid, cmp.Or(err, errNoDevice))
		}
		if u[int64(id)] == nil {
			u[int64(id)] = map[int64]bool{}
		}
		u[int64(id)][pid] = true
	}
	return left, nil
}

var errNoDevice = errors.New("its device has no sensible number")
