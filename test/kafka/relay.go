package kafka

import (
	"errors"
	"net"
	"sync"
)

// relay passes on what clients and a broker say to each other, until it is cut: then connections stay, and nothing comes through any more, as
// when a cable is pulled. What was under way comes through when it is whole again, as TCP would have it.
type relay struct {
	listener net.Listener
	to       string

	mu    sync.Mutex
	open  chan struct{} // closed while things come through
	conns map[net.Conn]bool
	ended bool
}

// startRelay listens at one address for what goes to another.
func startRelay(at, to string) (*relay, error) {
	l, err := net.Listen("tcp", at)
	if err != nil {
		return nil, err
	}
	r := &relay{listener: l, to: to, open: make(chan struct{}), conns: map[net.Conn]bool{}}
	close(r.open)
	go r.accept()
	return r, nil
}

func (r *relay) accept() {
	for {
		near, err := r.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			go r.join(near)
		}
	}
}

// join passes on what goes through one connection, until either side ends it.
func (r *relay) join(near net.Conn) {
	defer near.Close()
	if !r.keep(near) {
		return
	}
	<-r.way()
	far, err := net.Dial("tcp", r.to)
	if err != nil {
		r.forget(near)
		return
	}
	defer far.Close()
	if !r.keep(far) {
		return
	}
	var both sync.WaitGroup
	both.Go(func() { r.pass(near, far) })
	both.Go(func() { r.pass(far, near) })
	both.Wait()
	r.forget(near)
	r.forget(far)
}

// pass passes on one direction. Its end ends the other one, once that is known on the other side.
func (r *relay) pass(from, to net.Conn) {
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		<-r.way()
		if _, failed := to.Write(buf[:n]); err != nil || failed != nil {
			_ = errors.Join(from.Close(), to.Close()) // The other direction finds out by it.
			return
		}
	}
}

func (r *relay) way() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.open
}

func (r *relay) keep(c net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.conns[c] = true
	return !r.ended
}

func (r *relay) forget(c net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.conns, c)
}

// cut lets nothing through any more, or everything again.
func (r *relay) cut(yes bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-r.open:
		if yes {
			r.open = make(chan struct{})
		}
	default:
		if !yes {
			close(r.open)
		}
	}
}

func (r *relay) close() {
	r.mu.Lock()
	r.ended = true
	_ = r.listener.Close() // The process ends soon.
	for c := range r.conns {
		_ = c.Close()
	}
	r.mu.Unlock()
	r.cut(false)
}
