// Reading of scenario files: lines of "key = value", sections "[gpu N]" and "[gpu *]".
#include "scenario.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *trim(char *s) {
	while (isspace((unsigned char)*s)) s++;
	char *end = s + strlen(s);
	while (end > s && isspace((unsigned char)end[-1])) *--end = 0;
	return s;
}

static bool number(const char *s, double *v) {
	char *end;
	*v = strtod(s, &end);
	if (end == s) return false;
	while (isspace((unsigned char)*end)) end++;
	return *end == 0;
}

static bool integer(const char *s, uint64_t *v) {
	char *end;
	if (!isdigit((unsigned char)*s)) return false;
	*v = strtoull(s, &end, 0);
	while (isspace((unsigned char)*end)) end++;
	if (!strcmp(end, "MiB")) { *v <<= 20; return true; }
	if (!strcmp(end, "GiB")) { *v <<= 30; return true; }
	return *end == 0;
}

static bool small(const char *s, unsigned *v) {
	uint64_t x;
	if (!integer(s, &x) || x > UINT32_MAX) return false;
	*v = (unsigned)x;
	return true;
}

static bool on(const char *s, bool *v) {
	*v = !strcmp(s, "on") || !strcmp(s, "yes");
	return *v || !strcmp(s, "off") || !strcmp(s, "no");
}

static bool copy(char *to, size_t size, const char *from) {
	if (strlen(from) >= size) return false;
	strcpy(to, from);
	return true;
}

static bool pids(char *list, struct pids *p) {
	p->n = 0;
	for (char *save, *t = strtok_r(list, ", ", &save); t; t = strtok_r(NULL, ", ", &save)) {
		if (p->n == MAX_PIDS || !small(t, &p->pid[p->n])) return false;
		p->n++;
	}
	return true;
}

// function strips what versions of a name differ in, so that a rule need not know which one is called.
static bool function(const char *s, char *to) {
	if (!strncmp(s, "nvml", 4)) s += 4;
	if (!copy(to, MAX_FUNCTION, s)) return false;
	size_t n = strlen(to);
	if (n > 3 && to[n - 3] == '_' && to[n - 2] == 'v') to[n - 3] = 0;
	return true;
}

static bool rule(char *value, int kind, struct rules *r) {
	if (r->n == MAX_RULES) return false;
	struct rule *x = &r->rule[r->n];
	char *save, *name = strtok_r(value, " ", &save), *arg = strtok_r(NULL, " ", &save);
	x->kind = kind;
	if (!name || !function(name, x->function)) return false;
	if (kind != SENTINEL && (!arg || !number(arg, &x->value))) return false;
	r->n++;
	return true;
}

// xid reads "79" or "79 @3".
static bool xid(char *value, struct card *c, double now) {
	if (c->xids == MAX_XIDS) return false;
	struct xid x = {.base = now};
	char *save, *num = strtok_r(value, " ", &save), *at = strtok_r(NULL, " ", &save);
	if (!num || !small(num, &x.number)) return false;
	if (at && (*at != '@' || !number(at + 1, &x.at))) return false;
	c->xid[c->xids++] = x;
	return true;
}

// instance reads "ID slices=N memory=SIZE used=SIZE pids=A,B".
static bool instance(char *value, struct card *c) {
	if (c->instances == MAX_INSTANCES) return false;
	struct instance in = {.memory = 10ull << 30, .used = 16ull << 20};
	char *save, *t = strtok_r(value, " ", &save);
	if (!t || !small(t, &in.id)) return false;
	while ((t = strtok_r(NULL, " ", &save))) {
		char *v = strchr(t, '=');
		if (!v) return false;
		*v++ = 0;
		bool ok = !strcmp(t, "slices") ? small(v, &in.slices)
			: !strcmp(t, "memory") ? integer(v, &in.memory)
			: !strcmp(t, "used")   ? integer(v, &in.used)
			: !strcmp(t, "pids")   ? pids(v, &in.processes)
			                       : false;
		if (!ok) return false;
	}
	c->instance[c->instances++] = in;
	return in.slices > 0;
}

static bool lost(const char *s, struct card *c, double now) {
	c->lost_base = now;
	c->lost_at = 0;
	if (!strcmp(s, "no")) c->lost = NOT_LOST;
	else if (!strcmp(s, "yes")) c->lost = LOST;
	else if (!strcmp(s, "dynamic")) c->lost = LOST_DYNAMIC;
	else if (*s == '@' && number(s + 1, &c->lost_at)) c->lost = LOST;
	else return false;
	return true;
}

static bool card_key(const char *k, char *v, struct card *c, double now) {
#define IS(name) !strcmp(k, name)
	bool b;
	if (IS("name")) return copy(c->name, sizeof c->name, v);
	if (IS("uuid")) return copy(c->uuid, sizeof c->uuid, v);
	if (IS("serial")) return copy(c->serial, sizeof c->serial, v);
	if (IS("vbios")) return copy(c->vbios, sizeof c->vbios, v);
	if (IS("pci")) return sscanf(v, "%x:%x:%x", &c->domain, &c->bus, &c->device) == 3;
	if (IS("memory")) return integer(v, &c->memory);
	if (IS("reserved")) return integer(v, &c->reserved);
	if (IS("used")) return integer(v, &c->used);
	if (IS("utilisation")) return sscanf(v, "%u %u", &c->gpu_util, &c->mem_util) == 2;
	if (IS("power")) return small(v, &c->power);
	if (IS("energy")) return integer(v, &c->energy);
	if (IS("temperature")) return small(v, &c->temperature);
	if (IS("sm_clock")) return small(v, &c->sm_clock);
	if (IS("memory_clock")) return small(v, &c->memory_clock);
	if (IS("throttle")) return integer(v, &c->throttle);
	if (IS("ecc")) return on(v, &c->ecc);
	if (IS("ecc_corrected")) return integer(v, &c->ecc_corrected);
	if (IS("ecc_uncorrected")) return integer(v, &c->ecc_uncorrected);
	if (IS("remap")) return on(v, &c->remap);
	if (IS("remap_pending")) return on(v, &b) && (c->remap_pending = b, true);
	if (IS("remap_failed")) return on(v, &b) && (c->remap_failed = b, true);
	if (IS("gpm")) return on(v, &c->gpm);
	if (IS("sm")) return number(v, &c->sm);
	if (IS("tensor")) return number(v, &c->tensor);
	if (IS("processes")) return pids(v, &c->processes);
	if (IS("mps")) return pids(v, &c->mps);
	if (IS("mig")) return on(v, &c->mig);
	if (IS("slices")) return small(v, &c->slices);
	if (IS("instance")) return instance(v, c);
	if (IS("xid")) return xid(v, c, now);
	if (IS("lost")) return lost(v, c, now);
	if (IS("hang")) return rule(v, HANG, &c->rules);
	if (IS("error")) return rule(v, ERROR, &c->rules);
	if (IS("sentinel")) return rule(v, SENTINEL, &c->rules);
	return false;
}

#ifdef IXML

// healthy is an idle BI-V150, one of two on its board, with an identity made from its number.
static struct card healthy(unsigned i) {
	struct card c = {
		.name = "Iluvatar BI-V150", .bus = 0x08 + 0x10 * i % 0xe0, .domain = i / 14,
		.memory = 32768ull << 20, .power = 55000, .temperature = 35, .sm_clock = 500, .memory_clock = 1600,
	};
	snprintf(c.uuid, sizeof c.uuid, "GPU-1c0e0000-0000-5000-8000-%012u", i);
	snprintf(c.serial, sizeof c.serial, "23121700%06u", i);
	return c;
}

#else

// healthy is an idle H200 with an identity made from its number.
static struct card healthy(unsigned i) {
	struct card c = {
		.name = "NVIDIA H200", .vbios = "96.00.A8.00.01", .bus = 0x17 + 0x10 * i % 0xe0, .domain = i / 14,
		.memory = 143771ull << 20, .reserved = 607ull << 20, .power = 77000, .temperature = 29, .sm_clock = 345,
		.memory_clock = 3201, .throttle = 1, .ecc = true, .remap = true, .gpm = true, .slices = 7,
	};
	snprintf(c.uuid, sizeof c.uuid, "GPU-5eed0000-0000-4000-8000-%012u", i);
	snprintf(c.serial, sizeof c.serial, "165482300%04u", i);
	return c;
}

#endif

static bool global_key(const char *k, char *v, struct scenario *s) {
	if (IS("driver")) return copy(s->driver, sizeof s->driver, v);
	if (IS("nvml")) return copy(s->nvml, sizeof s->nvml, v);
	if (IS("event_step")) return number(v, &s->event_step) && s->event_step > 0;
	if (IS("init_error")) {
		char both[MAX_FUNCTION];
		return snprintf(both, sizeof both, "Init %s", v) < (int)sizeof both && rule(both, ERROR, &s->rules);
	}
	if (IS("hang")) return rule(v, HANG, &s->rules);
	if (IS("error")) return rule(v, ERROR, &s->rules);
	if (!IS("cards") || !small(v, &s->cards) || s->cards > MAX_CARDS) return false;
	for (unsigned i = 0; i < s->cards; i++) s->card[i] = healthy(i);
	return true;
}

bool scenario_read(const char *path, struct scenario *s, double now) {
	FILE *f = fopen(path, "r");
	if (!f) {
		perror(path);
		return false;
	}
	memset(s, 0, sizeof *s);
	strcpy(s->driver, "550.127.08");
	strcpy(s->nvml, "12.550.127.08");
	s->event_step = 0.02;
	char line[1024];
	unsigned first = 0, last = 0; // the cards that the section is about
	bool global = true, ok = true;
	for (int n = 1; ok && fgets(line, sizeof line, f); n++) {
		char *hash = strchr(line, '#');
		if (hash) *hash = 0;
		char *k = trim(line), *v = strchr(k, '=');
		unsigned i;
		if (*k == 0) continue;
		if (!strcmp(k, "[gpu *]")) {
			global = false, first = 0, last = s->cards;
		} else if (sscanf(k, "[gpu %u]", &i) == 1 && i < s->cards) {
			global = false, first = i, last = i + 1;
		} else if (v) {
			*v++ = 0;
			k = trim(k), v = trim(v);
			char copied[1024];
			if (global) ok = global_key(k, v, s);
			for (i = first; ok && i < last; i++) ok = card_key(k, strcpy(copied, v), &s->card[i], now);
		} else {
			ok = false;
		}
		if (!ok) fprintf(stderr, "%s:%d: cannot read %s\n", path, n, k);
	}
	fclose(f);
	return ok;
}
