package localbroker

import (
	"encoding/binary"
	"hash/crc32"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Places within a record batch of format 2, see https://kafka.apache.org/documentation/#recordbatch.
const (
	batchMagic = 16
	batchCRC   = 17
	batchBody  = 21 // what the checksum covers begins here
	batchFirst = 27 // timestamp that the records' deltas count from
	batchMax   = 35 // largest timestamp of the batch
	batchEnd   = 61 // where the records begin
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// stampOnArrival gives records the broker's time, as message.timestamp.type=LogAppendTime asks for and kfake does not
// do: the time of a record decides when it expires and where a look-up by time finds it, and a host with a wrong clock
// must not decide that.
func stampOnArrival(c *kfake.Cluster) {
	var control func(kmsg.Request) (kmsg.Response, error, bool)
	control = func(r kmsg.Request) (kmsg.Response, error, bool) {
		if req, ok := r.(*kmsg.ProduceRequest); ok {
			now := time.Now().UnixMilli()
			for i := range req.Topics {
				for j := range req.Topics[i].Partitions {
					stamp(req.Topics[i].Partitions[j].Records, now)
				}
			}
		}
		// kfake remembers the last request of every connection that a control function ever saw. A new one for each
		// request keeps that from growing.
		c.DropControl()
		c.ControlKey(int16(kmsg.Produce), control)
		return nil, nil, false
	}
	c.ControlKey(int16(kmsg.Produce), control)
}

// stamp moves the times of a batch so that the latest is now (in ms), and mends the checksum. A batch that is not sound
// is left as it is, for the broker to refuse.
func stamp(batch []byte, now int64) {
	if len(batch) < batchEnd || batch[batchMagic] != 2 {
		return
	}
	if binary.BigEndian.Uint32(batch[batchCRC:]) != crc32.Checksum(batch[batchBody:], castagnoli) {
		return
	}
	first := int64(binary.BigEndian.Uint64(batch[batchFirst:]))
	latest := int64(binary.BigEndian.Uint64(batch[batchMax:]))
	binary.BigEndian.PutUint64(batch[batchFirst:], uint64(now-(latest-first)))
	binary.BigEndian.PutUint64(batch[batchMax:], uint64(now))
	binary.BigEndian.PutUint32(batch[batchCRC:], crc32.Checksum(batch[batchBody:], castagnoli))
}
