// Calls through addresses: one trampoline for each shape of argument list. Handles and addresses travel as words.
#ifndef EXAMETER_NVML_CALL_H
#define EXAMETER_NVML_CALL_H

#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdint.h>
#include <stdlib.h>

typedef uintptr_t word;
typedef uint32_t u32;

static inline int exm_0(word f) { return ((int (*)(void))f)(); }
static inline int exm_w(word f, word a) { return ((int (*)(void *))f)((void *)a); }
static inline int exm_p(word f, void *p) { return ((int (*)(void *))f)(p); }
static inline int exm_pu(word f, void *p, u32 n) { return ((int (*)(void *, u32))f)(p, n); }
static inline int exm_up(word f, u32 a, void *p) { return ((int (*)(u32, void *))f)(a, p); }
static inline int exm_wp(word f, word d, void *p) { return ((int (*)(void *, void *))f)((void *)d, p); }
static inline int exm_ww(word f, word a, word b) { return ((int (*)(void *, void *))f)((void *)a, (void *)b); }
static inline int exm_wpu(word f, word d, void *p, u32 n) { return ((int (*)(void *, void *, u32))f)((void *)d, p, n); }
static inline int exm_wup(word f, word d, u32 a, void *p) { return ((int (*)(void *, u32, void *))f)((void *)d, a, p); }
static inline int exm_wuup(word f, word d, u32 a, u32 b, void *p) { return ((int (*)(void *, u32, u32, void *))f)((void *)d, a, b, p); }
static inline int exm_wpp(word f, word d, void *p, void *q) { return ((int (*)(void *, void *, void *))f)((void *)d, p, q); }
static inline int exm_wpppp(word f, word d, u32 *p) {
	return ((int (*)(void *, u32 *, u32 *, u32 *, u32 *))f)((void *)d, p, p + 1, p + 2, p + 3);
}
static inline int exm_register(word f, word d, uint64_t types, word set) {
	return ((int (*)(void *, unsigned long long, void *))f)((void *)d, types, (void *)set);
}

static inline void *exm_open(const char *name, char **err) {
	dlerror();
	void *dl = dlopen(name, RTLD_LAZY | RTLD_LOCAL);
	*err = dl ? NULL : dlerror();
	return dl;
}
static inline word exm_symbol(void *dl, const char *name) { return (word)dlsym(dl, name); }
static inline const char *exm_file(void *dl) {
	struct link_map *m = NULL;
	return dlinfo(dl, RTLD_DI_LINKMAP, &m) == 0 && m ? m->l_name : "";
}

#endif
