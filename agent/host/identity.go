package host

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/exameter/exameter/agent/kernelfile"
)

// appKey is what the machine id is hashed with. Changing it would make every host of every fleet a new one.
const appKey = "exameter"

// ErrNoIdentity says that a host has no machine id, so that nothing tells it from other hosts.
var ErrNoIdentity = errors.New("this host has no identity")

const idRemedy = "run systemd-machine-id-setup as root (without systemd: dbus-uuidgen --ensure=/etc/machine-id); " +
	"in a container, mount the host's /etc/machine-id read-only; or set host.id in the configuration"

// Identity returns the id by which the host is known: 32 hexadecimal digits, the same as long as the operating system is
// not installed anew. They are the first 16 bytes of HMAC-SHA256 of "exameter", keyed with the machine id, because the
// machine id itself is confidential and must not leave the host: machine-id(5), sd_id128_get_machine_app_specific(3).
// An error wraps ErrNoIdentity and says what to do.
func Identity(roots Roots) (string, error) {
	path := filepath.Join(roots.Etc, "machine-id")
	line, err := kernelfile.Line(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("%w: there is no %s: %s", ErrNoIdentity, path, idRemedy)
	case err != nil:
		return "", fmt.Errorf("%w: %w: %s", ErrNoIdentity, err, idRemedy)
	case line == "" || line == "uninitialized":
		return "", fmt.Errorf("%w: %s is %q: %s", ErrNoIdentity, path, line, idRemedy)
	}
	// The file's content is confidential, so that a message about it does not quote it.
	id, err := hex.DecodeString(line)
	if err != nil || len(id) != 16 {
		return "", fmt.Errorf("%w: %s does not hold 32 hexadecimal digits: %s", ErrNoIdentity, path, idRemedy)
	}
	if [16]byte(id) == [16]byte{} {
		return "", fmt.Errorf("%w: %s is all zeros: %s", ErrNoIdentity, path, idRemedy)
	}
	mac := hmac.New(sha256.New, id)
	mac.Write([]byte(appKey))
	return hex.EncodeToString(mac.Sum(nil)[:16]), nil
}

// BootID returns the id that the kernel drew at boot, a UUID in lower case.
func BootID(procRoot string) (string, error) {
	path := filepath.Join(procRoot, "sys/kernel/random/boot_id")
	id, err := kernelfile.Line(path)
	if err != nil {
		return "", fmt.Errorf("reading the boot id: %w", err)
	}
	if !isUUID(id) {
		return "", fmt.Errorf("boot id %q in %s: want a UUID", id, path)
	}
	return id, nil
}

func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
				return false
			}
		}
	}
	return true
}
