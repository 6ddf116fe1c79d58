// The world that the simulated NVML shows, as read from a scenario file: see README.md.
#ifndef SCENARIO_H
#define SCENARIO_H

#include <stdbool.h>
#include <stdint.h>

enum { MAX_CARDS = 64, MAX_PIDS = 64, MAX_RULES = 32, MAX_XIDS = 32, MAX_INSTANCES = 8, MAX_FUNCTION = 64 };

// A rule makes one function, or all of them (*), misbehave.
struct rule {
	enum { HANG = 1, ERROR, SENTINEL } kind;
	char function[MAX_FUNCTION]; // without "nvml" and "_v2"
	double value;                // seconds, or the code to return
};

struct rules {
	int n;
	struct rule rule[MAX_RULES];
};

struct pids {
	unsigned n;
	unsigned pid[MAX_PIDS];
};

struct xid {
	unsigned number;
	double at;    // seconds after base
	double base;  // when its line appeared
	bool given;   // delivered
};

// One GPU instance with one MIG device in it.
struct instance {
	unsigned id, slices;
	uint64_t memory, used;
	struct pids processes;
};

enum lost { NOT_LOST, LOST, LOST_DYNAMIC };

struct card {
	char name[96], uuid[80], serial[30], vbios[32];
	unsigned domain, bus, device;
	uint64_t memory, reserved, used;
	unsigned gpu_util, mem_util, power, temperature, sm_clock, memory_clock;
	uint64_t energy;       // mJ at the load
	uint64_t throttle, ecc_corrected, ecc_uncorrected;
	unsigned remap_pending, remap_failed;
	bool remap, ecc, gpm;
	double sm, tensor;
	struct pids processes, mps;
	bool mig;
	unsigned slices;       // compute slices of the whole card; 0: it cannot be partitioned
	int instances;
	struct instance instance[MAX_INSTANCES];
	int xids;
	struct xid xid[MAX_XIDS];
	enum lost lost;
	double lost_at, lost_base;
	struct rules rules;
};

struct scenario {
	char driver[80], nvml[80];
	double event_step;     // seconds between two looks for an event, while a caller waits for one
	unsigned cards;
	struct card card[MAX_CARDS];
	struct rules rules;
};

// scenario_read parses a file. On a mistake it prints file, line and reason to stderr and returns false.
bool scenario_read(const char *path, struct scenario *s, double now);

#endif
