// NVML for machines without a GPU: the functions that Exameter's agent calls, answered from a scenario. See README.md.
#define _GNU_SOURCE
#include <nvml.h>

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "scenario.h"

#define EXPORT __attribute__((visibility("default")))

// As Iluvatar's library, this is NVML by its names without versions, with a world of its own.
#ifdef IXML
#define SCENARIO "EXAMETER_IXMLSIM"
#define nvmlDeviceGetCount_v2 nvmlDeviceGetCount
#define nvmlDeviceGetHandleByIndex_v2 nvmlDeviceGetHandleByIndex
#define nvmlDeviceGetPciInfo_v3 nvmlDeviceGetPciInfo
#else
#define SCENARIO "EXAMETER_NVMLSIM"
#endif

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct scenario world;
static bool loaded;
static struct stat seen;      // of the scenario file when it was read
static double checked = -1;   // when it was last looked at
static int users;             // calls of nvmlInit without nvmlShutdown
static unsigned session_cards; // cards at the first nvmlInit
static int device_fd = -1;

// What a scenario file does not know: energy used so far, by card. At the load it is what the card's power makes since the
// machine started, so that the counter goes on when the library is unloaded and loaded again.
static struct meter { double mj, since; } meters[MAX_CARDS];

// A handle of a card points to its place here, one of a MIG device to its place in the card's row.
static char card_handles[MAX_CARDS];
static char mig_handles[MAX_CARDS][MAX_INSTANCES];

static nvmlDevice_t handle(char *place) { return (nvmlDevice_t){.handle = (void *)place}; }

static double now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double energy(unsigned i, double t) {
	return meters[i].mj + (double)world.card[i].power * (t - meters[i].since);
}

// carry keeps across a change what the same lines began before it.
static void carry(struct scenario *next, double t) {
	for (unsigned i = 0; i < next->cards; i++) {
		struct card *c = &next->card[i], *old = &world.card[i];
		bool same = loaded && i < world.cards;
		double so_far = energy(i, t);
		meters[i] = (struct meter){(double)c->energy + (loaded ? 0 : c->power * t), t};
		if (!same) continue;
		if (c->energy == old->energy) meters[i].mj = so_far;
		if (c->lost == old->lost && c->lost_at == old->lost_at) c->lost_base = old->lost_base;
		bool used[MAX_XIDS] = {false};
		for (int j = 0; j < c->xids; j++) {
			for (int k = 0; k < old->xids; k++) {
				if (used[k] || c->xid[j].number != old->xid[k].number || c->xid[j].at != old->xid[k].at) continue;
				used[k] = true, c->xid[j] = old->xid[k];
				break;
			}
		}
	}
}

// refresh reads the scenario again when its file changed. A file with a mistake leaves the world as it is.
static void refresh(void) {
	double t = now();
	if (loaded && t - checked < 0.02) return;
	checked = t;
	const char *path = getenv(SCENARIO);
	struct stat st;
	if (!path || stat(path, &st) != 0) return;
	if (loaded && st.st_size == seen.st_size && st.st_ino == seen.st_ino && st.st_mtim.tv_sec == seen.st_mtim.tv_sec &&
	    st.st_mtim.tv_nsec == seen.st_mtim.tv_nsec) return;
	struct scenario *next = malloc(sizeof *next);
	if (next && scenario_read(path, next, t)) {
		carry(next, t);
		world = *next;
		loaded = true;
	}
	seen = st;
	free(next);
}

static nvmlReturn_t act(const struct rules *r, const char *function, bool *sentinel, double *hang) {
	for (int i = 0; i < r->n; i++) {
		const struct rule *x = &r->rule[i];
		if (strcmp(x->function, "*") && strcmp(x->function, function)) continue;
		if (x->kind == HANG) *hang += x->value;
		if (x->kind == SENTINEL) *sentinel = true;
		if (x->kind == ERROR) return (nvmlReturn_t)x->value;
	}
	return NVML_SUCCESS;
}

static void sleep_for(double s) {
	if (s <= 0) return;
	struct timespec t = {(time_t)s, (long)((s - (double)(time_t)s) * 1e9)};
	while (nanosleep(&t, &t) != 0 && errno == EINTR) {}
}

// pause_for sleeps as long as the rules say: those of the library, or of a card. It ends when they say so no longer.
static void pause_for(const char *function, int card) {
	for (double begun = now();; ) {
		bool sentinel = false;
		double hang = 0;
		pthread_mutex_lock(&lock);
		refresh();
		act(card < 0 ? &world.rules : &world.card[card].rules, function, &sentinel, &hang);
		pthread_mutex_unlock(&lock);
		double left = begun + hang - now();
		if (left <= 0) return;
		sleep_for(left < 0.02 ? left : 0.02);
	}
}

static bool is_lost(const struct card *c) { return c->lost != NOT_LOST && now() >= c->lost_base + c->lost_at; }

// at is the place a handle points to.
struct at {
	struct card card;      // as it was when the call began
	unsigned index;
	struct instance *mig;  // of the card above, for a MIG device
	bool sentinel;
};

static bool locate(nvmlDevice_t d, unsigned *card, int *mig) {
	char *p = (char *)d.handle;
	*mig = -1;
	if (p >= card_handles && p < card_handles + MAX_CARDS) {
		*card = (unsigned)(p - card_handles);
		return true;
	}
	if (p >= mig_handles[0] && p < mig_handles[0] + sizeof mig_handles) {
		*card = (unsigned)((p - mig_handles[0]) / MAX_INSTANCES);
		*mig = (int)((p - mig_handles[0]) % MAX_INSTANCES);
		return true;
	}
	return false;
}

// enter begins a call about the library. It may sleep, with the lock released.
static nvmlReturn_t enter(const char *function) {
	bool sentinel = false;
	double hang = 0;
	pthread_mutex_lock(&lock);
	refresh();
	nvmlReturn_t r = act(&world.rules, function, &sentinel, &hang);
	if (r == NVML_SUCCESS && users == 0 && strcmp(function, "Init")) r = NVML_ERROR_UNINITIALIZED;
	pthread_mutex_unlock(&lock);
	if (hang > 0) pause_for(function, -1);
	return r;
}

// reach begins a call about a device. Identity is what the library of a lost card still knows.
static nvmlReturn_t reach(nvmlDevice_t d, const char *function, bool identity, struct at *at) {
	nvmlReturn_t r = enter(function);
	if (r != NVML_SUCCESS) return r;
	int mig;
	double hang = 0;
	at->sentinel = false;
	if (!locate(d, &at->index, &mig)) return NVML_ERROR_INVALID_ARGUMENT;
	pthread_mutex_lock(&lock);
	at->card = world.card[at->index];
	bool gone = at->index >= world.cards;
	pthread_mutex_unlock(&lock);
	at->mig = NULL;
	if (mig >= 0) {
		if (!at->card.mig || mig >= at->card.instances) return NVML_ERROR_INVALID_ARGUMENT;
		at->mig = &at->card.instance[mig];
	}
	r = act(&at->card.rules, function, &at->sentinel, &hang);
	if (hang > 0) pause_for(function, (int)at->index);
	if (gone || (is_lost(&at->card) && !(identity && at->card.lost == LOST_DYNAMIC))) return NVML_ERROR_GPU_IS_LOST;
	return r;
}

#define REACH(function, identity)                               \
	struct at at;                                               \
	nvmlReturn_t ret = reach(device, function, identity, &at);  \
	if (ret != NVML_SUCCESS) return ret
#define NOT_MIG if (at.mig) return NVML_ERROR_NOT_SUPPORTED
#define VALUE(v, type) (at.sentinel ? (type)~(type)0 : (type)(v))

static nvmlReturn_t init(void) {
	nvmlReturn_t r = enter("Init");
	if (r != NVML_SUCCESS) return r;
	pthread_mutex_lock(&lock);
	if (!loaded) r = NVML_ERROR_DRIVER_NOT_LOADED;
	if (r == NVML_SUCCESS && users++ == 0) {
		session_cards = world.cards;
		const char *path = getenv(SCENARIO "_DEVICE");
		if (path) device_fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	pthread_mutex_unlock(&lock);
	return r;
}

EXPORT nvmlReturn_t nvmlInit(void) { return init(); }

#ifndef IXML
EXPORT nvmlReturn_t nvmlInit_v2(void) { return init(); }
#endif

EXPORT nvmlReturn_t nvmlShutdown(void) {
	nvmlReturn_t r = enter("Shutdown");
	if (r != NVML_SUCCESS) return r;
	pthread_mutex_lock(&lock);
	if (--users == 0 && device_fd >= 0) {
		close(device_fd);
		device_fd = -1;
	}
	pthread_mutex_unlock(&lock);
	return NVML_SUCCESS;
}

EXPORT const char *nvmlErrorString(nvmlReturn_t r) { return r == NVML_SUCCESS ? "Success" : "Simulated error"; }

static nvmlReturn_t give(char *to, unsigned size, const char *from) {
	if (strlen(from) >= size) return NVML_ERROR_INSUFFICIENT_SIZE;
	strcpy(to, from);
	return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlSystemGetDriverVersion(char *version, unsigned length) {
	nvmlReturn_t r = enter("SystemGetDriverVersion");
	return r == NVML_SUCCESS ? give(version, length, world.driver) : r;
}

EXPORT nvmlReturn_t nvmlSystemGetNVMLVersion(char *version, unsigned length) {
	nvmlReturn_t r = enter("SystemGetNVMLVersion");
	return r == NVML_SUCCESS ? give(version, length, world.nvml) : r;
}

EXPORT nvmlReturn_t nvmlDeviceGetCount_v2(unsigned *count) {
	nvmlReturn_t r = enter("DeviceGetCount");
	if (r == NVML_SUCCESS) *count = session_cards;
	return r;
}

EXPORT nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned index, nvmlDevice_t *to) {
	if (index >= session_cards) return NVML_ERROR_INVALID_ARGUMENT;
	nvmlDevice_t device = handle(&card_handles[index]);
	REACH("DeviceGetHandleByIndex", true);
	*to = device;
	return NVML_SUCCESS;
}

#define TEXT(function, field)                                                          \
	EXPORT nvmlReturn_t nvml##function(nvmlDevice_t device, char *to, unsigned size) { \
		REACH(#function, true);                                                        \
		return give(to, size, at.sentinel ? "[N/A]" : at.card.field);                  \
	}

TEXT(DeviceGetName, name)
TEXT(DeviceGetSerial, serial)
#ifndef IXML
TEXT(DeviceGetVbiosVersion, vbios)
#endif

EXPORT nvmlReturn_t nvmlDeviceGetUUID(nvmlDevice_t device, char *to, unsigned size) {
	REACH("DeviceGetUUID", true);
	char uuid[96];
	snprintf(uuid, sizeof uuid, "%s", at.card.uuid);
	if (at.mig) snprintf(uuid, sizeof uuid, "MIG-%.80s-%u", at.card.uuid, at.mig->id);
	return give(to, size, at.sentinel ? "[N/A]" : uuid);
}

EXPORT nvmlReturn_t nvmlDeviceGetPciInfo_v3(nvmlDevice_t device, nvmlPciInfo_t *pci) {
	REACH("DeviceGetPciInfo", true);
	memset(pci, 0, sizeof *pci);
	pci->domain = at.card.domain, pci->bus = at.card.bus, pci->device = at.card.device, pci->pciDeviceId = 0x233510de;
	snprintf(pci->busIdLegacy, sizeof pci->busIdLegacy, NVML_DEVICE_PCI_BUS_ID_LEGACY_FMT, pci->domain & 0xffff, pci->bus & 0xff, pci->device & 0xff);
	snprintf(pci->busId, sizeof pci->busId, NVML_DEVICE_PCI_BUS_ID_FMT, pci->domain, pci->bus, pci->device);
	return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceGetMemoryInfo(nvmlDevice_t device, nvmlMemory_t *m) {
	REACH("DeviceGetMemoryInfo", false);
	uint64_t total = at.mig ? at.mig->memory : at.card.memory, used = at.mig ? at.mig->used : at.card.used + at.card.reserved;
	m->total = VALUE(total, uint64_t), m->used = VALUE(used, uint64_t), m->free = VALUE(total - used, uint64_t);
	return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceGetUtilizationRates(nvmlDevice_t device, nvmlUtilization_t *u) {
	REACH("DeviceGetUtilizationRates", false);
	if (at.card.mig) return NVML_ERROR_NOT_SUPPORTED;
	u->gpu = VALUE(at.card.gpu_util, unsigned), u->memory = VALUE(at.card.mem_util, unsigned);
	return NVML_SUCCESS;
}

#define NUMBER(function, type, supported, value)                               \
	EXPORT nvmlReturn_t nvml##function(nvmlDevice_t device, type *v) {         \
		REACH(#function, false);                                               \
		NOT_MIG;                                                               \
		if (!(supported)) return NVML_ERROR_NOT_SUPPORTED;                     \
		*v = VALUE(value, type);                                               \
		return NVML_SUCCESS;                                                   \
	}

NUMBER(DeviceGetPowerUsage, unsigned, true, at.card.power)
#ifndef IXML
NUMBER(DeviceGetCurrentClocksThrottleReasons, unsigned long long, true, at.card.throttle)
#endif

EXPORT nvmlReturn_t nvmlDeviceGetTemperature(nvmlDevice_t device, nvmlTemperatureSensors_t sensor, unsigned *t) {
	REACH("DeviceGetTemperature", false);
	NOT_MIG;
	if (sensor != NVML_TEMPERATURE_GPU) return NVML_ERROR_INVALID_ARGUMENT;
	*t = VALUE(at.card.temperature, unsigned);
	return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceGetClockInfo(nvmlDevice_t device, nvmlClockType_t type, unsigned *clock) {
	REACH("DeviceGetClockInfo", false);
	NOT_MIG;
	if (type != NVML_CLOCK_SM && type != NVML_CLOCK_MEM) return NVML_ERROR_NOT_SUPPORTED;
	*clock = VALUE(type == NVML_CLOCK_SM ? at.card.sm_clock : at.card.memory_clock, unsigned);
	return NVML_SUCCESS;
}

#ifndef IXML
EXPORT nvmlReturn_t nvmlDeviceGetTotalEccErrors(nvmlDevice_t device, nvmlMemoryErrorType_t type, nvmlEccCounterType_t counter,
                                                unsigned long long *n) {
	REACH("DeviceGetTotalEccErrors", false);
	NOT_MIG;
	if (!at.card.ecc) return NVML_ERROR_NOT_SUPPORTED;
	if (counter != NVML_VOLATILE_ECC) return NVML_ERROR_INVALID_ARGUMENT;
	*n = VALUE(type == NVML_MEMORY_ERROR_TYPE_CORRECTED ? at.card.ecc_corrected : at.card.ecc_uncorrected, unsigned long long);
	return NVML_SUCCESS;
}
#endif

// list fills an array of processes of either layout.
static nvmlReturn_t list(nvmlDevice_t device, const char *function, bool mps, unsigned *count, void *to, size_t size) {
	REACH(function, false);
	struct pids all = mps ? at.card.mps : at.card.processes;
	unsigned instance = 0xFFFFFFFF;
	if (at.mig) all = mps ? (struct pids){0} : at.mig->processes, instance = at.mig->id;
	else if (at.card.mig) return NVML_ERROR_NO_PERMISSION; // as for users without rights
	unsigned room = *count;
	*count = VALUE(all.n, unsigned);
	if (at.sentinel) return NVML_SUCCESS;
	if (all.n > room) return NVML_ERROR_INSUFFICIENT_SIZE;
	for (unsigned i = 0; i < all.n; i++) {
		nvmlProcessInfo_t p = {.pid = all.pid[i], .usedGpuMemory = 1 << 20, .gpuInstanceId = instance, .computeInstanceId = at.mig ? 0 : instance};
		memcpy((char *)to + i * size, &p, size);
	}
	return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceGetComputeRunningProcesses(nvmlDevice_t device, unsigned *count, nvmlProcessInfo_v1_t *to) {
	return list(device, "DeviceGetComputeRunningProcesses", false, count, to, sizeof *to);
}

#ifdef IXML

// In the header that its maker publishes a process has a fifth member, so that an entry is 32 bytes long, not 24.
struct long_process {
	nvmlProcessInfo_t process;
	unsigned long long protected_memory;
};

EXPORT nvmlReturn_t nvmlDeviceGetComputeRunningProcesses_v3(nvmlDevice_t device, unsigned *count, nvmlProcessInfo_t *to) {
	nvmlProcessInfo_t p[MAX_PIDS] = {0};
	unsigned room = *count;
	*count = MAX_PIDS;
	nvmlReturn_t r = list(device, "DeviceGetComputeRunningProcesses", false, count, p, sizeof p[0]);
	if (r != NVML_SUCCESS) return r;
	if (*count > room) return NVML_ERROR_INSUFFICIENT_SIZE;
	for (unsigned i = 0; i < *count; i++) ((struct long_process *)(void *)to)[i] = (struct long_process){p[i], 0};
	return r;
}

// One of those under its maker's own prefix, by which the library can be told.
EXPORT nvmlReturn_t ixmlDeviceGetHealth(nvmlDevice_t device, unsigned long long *health) {
	REACH("DeviceGetHealth", false);
	*health = 0;
	return NVML_SUCCESS;
}

#else

struct event_set {
	bool registered[MAX_CARDS];
};

EXPORT nvmlReturn_t nvmlEventSetCreate(nvmlEventSet_t *set) {
	nvmlReturn_t r = enter("EventSetCreate");
	if (r == NVML_SUCCESS) set->handle = calloc(1, sizeof(struct event_set));
	return r;
}

EXPORT nvmlReturn_t nvmlEventSetFree(nvmlEventSet_t set) {
	free(set.handle);
	return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceRegisterEvents(nvmlDevice_t device, unsigned long long types, nvmlEventSet_t set) {
	REACH("DeviceRegisterEvents", false);
	NOT_MIG;
	if (types & ~(unsigned long long)nvmlEventTypeAll) return NVML_ERROR_INVALID_ARGUMENT;
	((struct event_set *)set.handle)->registered[at.index] = true;
	return NVML_SUCCESS;
}

// due takes the next event of the set. A lost card in the set fails the wait, as some drivers do.
static nvmlReturn_t due(struct event_set *set, nvmlEventData_t *data) {
	nvmlReturn_t r = NVML_ERROR_TIMEOUT;
	double t = now();
	pthread_mutex_lock(&lock);
	refresh();
	for (unsigned i = 0; i < world.cards && r == NVML_ERROR_TIMEOUT; i++) {
		struct card *c = &world.card[i];
		for (int j = 0; set->registered[i] && j < c->xids; j++) {
			struct xid *x = &c->xid[j];
			if (x->given || t < x->base + x->at) continue;
			x->given = true;
			*data = (nvmlEventData_t){.device = handle(&card_handles[i]), .eventType = nvmlEventTypeXidCriticalError,
				.eventData = x->number, .gpuInstanceId = 0xFFFFFFFF, .computeInstanceId = 0xFFFFFFFF};
			r = NVML_SUCCESS;
			break;
		}
	}
	for (unsigned i = 0; i < world.cards && r == NVML_ERROR_TIMEOUT; i++)
		if (set->registered[i] && is_lost(&world.card[i])) r = NVML_ERROR_GPU_IS_LOST;
	pthread_mutex_unlock(&lock);
	return r;
}

static double event_step(void) {
	pthread_mutex_lock(&lock);
	double s = world.event_step;
	pthread_mutex_unlock(&lock);
	return s;
}

static nvmlReturn_t event_wait(nvmlEventSet_t set, nvmlEventData_t *data, unsigned ms) {
	nvmlReturn_t r = enter("EventSetWait");
	if (r != NVML_SUCCESS) return r;
	for (double end = now() + ms / 1e3;;) {
		r = due((struct event_set *)set.handle, data);
		double left = end - now(), step = event_step();
		if (r != NVML_ERROR_TIMEOUT || left <= 0) return r;
		sleep_for(step < left ? step : left);
	}
}

#ifdef OLD

EXPORT nvmlReturn_t nvmlEventSetWait(nvmlEventSet_t set, nvmlEventData_t *data, unsigned ms) { return event_wait(set, data, ms); }

#else

EXPORT nvmlReturn_t nvmlEventSetWait_v2(nvmlEventSet_t set, nvmlEventData_t *data, unsigned ms) { return event_wait(set, data, ms); }

EXPORT nvmlReturn_t nvmlDeviceGetMemoryInfo_v2(nvmlDevice_t device, nvmlMemory_v2_t *m) {
	REACH("DeviceGetMemoryInfo", false);
	if (m->version != nvmlMemory_v2) return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
	uint64_t total = at.mig ? at.mig->memory : at.card.memory, used = at.mig ? at.mig->used : at.card.used;
	uint64_t reserved = at.mig ? 0 : at.card.reserved;
	m->total = VALUE(total, uint64_t), m->used = VALUE(used, uint64_t), m->reserved = VALUE(reserved, uint64_t);
	m->free = VALUE(total - used - reserved, uint64_t);
	return NVML_SUCCESS;
}

NUMBER(DeviceGetCurrentClocksEventReasons, unsigned long long, true, at.card.throttle)
NUMBER(DeviceGetMaxMigDeviceCount, unsigned, at.card.slices > 0, at.card.slices)

EXPORT nvmlReturn_t nvmlDeviceGetTotalEnergyConsumption(nvmlDevice_t device, unsigned long long *mj) {
	REACH("DeviceGetTotalEnergyConsumption", false);
	NOT_MIG;
	pthread_mutex_lock(&lock);
	*mj = VALUE(energy(at.index, now()), unsigned long long);
	pthread_mutex_unlock(&lock);
	return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceGetRemappedRows(nvmlDevice_t device, unsigned *corrected, unsigned *uncorrected, unsigned *pending, unsigned *failed) {
	REACH("DeviceGetRemappedRows", false);
	NOT_MIG;
	if (!at.card.remap) return NVML_ERROR_NOT_SUPPORTED;
	*corrected = VALUE(0, unsigned), *uncorrected = VALUE(at.card.remap_pending + at.card.remap_failed, unsigned);
	*pending = VALUE(at.card.remap_pending, unsigned), *failed = VALUE(at.card.remap_failed, unsigned);
	return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceGetComputeRunningProcesses_v2(nvmlDevice_t device, unsigned *count, nvmlProcessInfo_v2_t *to) {
	return list(device, "DeviceGetComputeRunningProcesses", false, count, to, sizeof *to);
}

EXPORT nvmlReturn_t nvmlDeviceGetComputeRunningProcesses_v3(nvmlDevice_t device, unsigned *count, nvmlProcessInfo_t *to) {
	return list(device, "DeviceGetComputeRunningProcesses", false, count, to, sizeof *to);
}

EXPORT nvmlReturn_t nvmlDeviceGetMPSComputeRunningProcesses_v3(nvmlDevice_t device, unsigned *count, nvmlProcessInfo_t *to) {
	return list(device, "DeviceGetMPSComputeRunningProcesses", true, count, to, sizeof *to);
}

EXPORT nvmlReturn_t nvmlDeviceGetMigMode(nvmlDevice_t device, unsigned *current, unsigned *pending) {
	REACH("DeviceGetMigMode", false);
	NOT_MIG;
	if (at.card.slices == 0) return NVML_ERROR_NOT_SUPPORTED;
	*current = *pending = VALUE(at.card.mig, unsigned);
	return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceGetMigDeviceHandleByIndex(nvmlDevice_t device, unsigned index, nvmlDevice_t *mig) {
	REACH("DeviceGetMigDeviceHandleByIndex", false);
	if (at.mig || !at.card.mig || index >= at.card.slices) return NVML_ERROR_INVALID_ARGUMENT;
	if (index >= (unsigned)at.card.instances) return NVML_ERROR_NOT_FOUND;
	*mig = handle(&mig_handles[at.index][index]);
	return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceGetGpuInstanceId(nvmlDevice_t device, unsigned *id) {
	REACH("DeviceGetGpuInstanceId", false);
	if (!at.mig) return NVML_ERROR_NOT_SUPPORTED;
	*id = at.mig->id;
	return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceGetAttributes_v2(nvmlDevice_t device, nvmlDeviceAttributes_t *a) {
	REACH("DeviceGetAttributes", false);
	if (!at.mig) return NVML_ERROR_NOT_SUPPORTED;
	*a = (nvmlDeviceAttributes_t){.gpuInstanceSliceCount = VALUE(at.mig->slices, unsigned), .computeInstanceSliceCount = at.mig->slices,
		.memorySizeMB = at.mig->memory >> 20};
	return NVML_SUCCESS;
}

// The profiles by their number in nvml.h, in slices.
static const unsigned profiles[NVML_GPU_INSTANCE_PROFILE_COUNT] = {1, 2, 3, 4, 7, 8, 6, 1, 2, 1};

EXPORT nvmlReturn_t nvmlDeviceGetGpuInstanceProfileInfo(nvmlDevice_t device, unsigned profile, nvmlGpuInstanceProfileInfo_t *info) {
	REACH("DeviceGetGpuInstanceProfileInfo", false);
	if (profile >= NVML_GPU_INSTANCE_PROFILE_COUNT) return NVML_ERROR_INVALID_ARGUMENT;
	if (profiles[profile] == 0 || profiles[profile] > at.card.slices) return NVML_ERROR_NOT_SUPPORTED;
	*info = (nvmlGpuInstanceProfileInfo_t){.id = profile, .sliceCount = profiles[profile], .instanceCount = at.card.slices / profiles[profile]};
	return NVML_SUCCESS;
}

struct sample { unsigned card; }; // number of the card from 1, 0 before it was taken

EXPORT nvmlReturn_t nvmlGpmQueryDeviceSupport(nvmlDevice_t device, nvmlGpmSupport_t *s) {
	REACH("GpmQueryDeviceSupport", false);
	if (s->version != NVML_GPM_SUPPORT_VERSION) return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
	s->isSupportedDevice = at.card.gpm;
	return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlGpmSampleAlloc(nvmlGpmSample_t *s) {
	nvmlReturn_t r = enter("GpmSampleAlloc");
	if (r == NVML_SUCCESS) s->handle = calloc(1, sizeof(struct sample));
	return r;
}

EXPORT nvmlReturn_t nvmlGpmSampleFree(nvmlGpmSample_t s) {
	free(s.handle);
	return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlGpmSampleGet(nvmlDevice_t device, nvmlGpmSample_t s) {
	REACH("GpmSampleGet", false);
	// The sample remembers whose it is, so that nvmlGpmMetricsGet, which is not told, can answer.
	((struct sample *)s.handle)->card = at.index + 1;
	return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlGpmMetricsGet(nvmlGpmMetricsGet_t *g) {
	nvmlReturn_t r = enter("GpmMetricsGet");
	if (r != NVML_SUCCESS) return r;
	struct sample *a = (struct sample *)g->sample1.handle, *b = (struct sample *)g->sample2.handle;
	if (g->version != NVML_GPM_METRICS_GET_VERSION) return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
	if (!a || !b || a == b || a->card == 0 || a->card != b->card) return NVML_ERROR_INVALID_ARGUMENT;
	struct at at;
	r = reach(handle(&card_handles[a->card - 1]), "GpmMetricsGet", false, &at);
	if (r != NVML_SUCCESS) return r;
	for (unsigned i = 0; i < g->numMetrics; i++) {
		nvmlGpmMetric_t *m = &g->metrics[i];
		m->nvmlReturn = NVML_SUCCESS;
		if (m->metricId == NVML_GPM_METRIC_SM_UTIL) m->value = at.card.sm;
		else if (m->metricId == NVML_GPM_METRIC_ANY_TENSOR_UTIL) m->value = at.card.tensor;
		else m->nvmlReturn = NVML_ERROR_NOT_SUPPORTED;
		if (at.sentinel) m->value = i % 2 ? 1e300 : NAN;
	}
	return NVML_SUCCESS;
}

#endif

#endif
