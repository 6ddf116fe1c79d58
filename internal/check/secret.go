package check

import (
	"errors"
	"io/fs"
	"os"
	"strings"

	"github.com/exameter/exameter/internal/config"
)

// Secret looks at a file that holds a secret: it can be read, it is not empty, and not everybody can read it. Key names it in the
// configuration.
func (r *Report) Secret(key, path string) {
	if path == "" {
		return
	}
	what := "secret " + key[strings.LastIndexByte(key, '.')+1:]
	path, err := config.Expand(path)
	if err != nil {
		r.Fail(what, "%v", err)
		return
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.Fail(what, "there is no %s", path)
		r.Do("write the secret there, or change %s", key)
		return
	case err != nil:
		r.Fail(what, "%v", err)
		return
	case info.Mode().Perm()&0o007 != 0:
		r.Fail(what, "everybody on this host may read %s (mode %04o)", path, info.Mode().Perm())
		r.Do("chown root:exameter %s && chmod 0640 %s, or keep it with root and hand it on by LoadCredential=", path, path)
		return
	case info.Size() == 0:
		r.Fail(what, "%s is empty", path)
		return
	}
	f, err := os.Open(path)
	if err != nil {
		r.Fail(what, "%v", err)
		r.Do("chown root:exameter %s && chmod 0640 %s, or keep it with root and hand it on by LoadCredential=", path, path)
		return
	}
	_ = f.Close()
	r.OK(what, "%s, mode %04o", path, info.Mode().Perm())
}
