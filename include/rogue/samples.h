/*
 * samples.h - the shape of a sample: one system record and one record for each process.
 *
 * Everything here is derived from the tables fields.def, system.def, signals.def and codes.def by the preprocessor. The
 * structs are the format of the shared-memory ring as well as of the storage layer: fixed-width types, natural
 * alignment, no padding except at the end, little or big endian as the machine is (the segment says which).
 * Other languages resolve fields by name from the schema table inside the segment and need none of this.
 */
#ifndef ROGUE_SAMPLES_H
#define ROGUE_SAMPLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define RH_STATIC_ASSERT static_assert
extern "C" {
#else
#define RH_STATIC_ASSERT _Static_assert
#endif

enum {
	RH_FIELD_IDS = 128,         /* ids, and so bits of a present mask, are below this */
	RH_PROCESS_HOT_BYTES = 128, /* the part of a record that a truncated frame still carries */
	RH_PROCESS_MAX_BYTES = 384,
	RH_SYSTEM_MAX_BYTES = 1024,
	RH_COMMAND_BYTES = 16,
	RH_TOP_BY_SCORE = 64, /* the first records of a frame are in order of score, the rest by pid */
};

#define RH_CTYPE_u8 uint8_t
#define RH_CTYPE_u16 uint16_t
#define RH_CTYPE_u32 uint32_t
#define RH_CTYPE_u64 uint64_t
#define RH_CTYPE_i8 int8_t
#define RH_CTYPE_i16 int16_t
#define RH_CTYPE_i32 int32_t
#define RH_CTYPE_f32 float
#define RH_DECLARE_u8(name) uint8_t name
#define RH_DECLARE_u16(name) uint16_t name
#define RH_DECLARE_u32(name) uint32_t name
#define RH_DECLARE_u64(name) uint64_t name
#define RH_DECLARE_i8(name) int8_t name
#define RH_DECLARE_i16(name) int16_t name
#define RH_DECLARE_i32(name) int32_t name
#define RH_DECLARE_f32(name) float name
#define RH_DECLARE_text16(name) char name[RH_COMMAND_BYTES]

/* One process in one sample. A field holds a value only where its bit in `present` is set: use rh_has(). */
struct rh_process {
	uint64_t present[2];
#define RH_FIELD(id, name, type, kind, unit, aggregate, title, width, source, brief, doc) RH_DECLARE_##type(name);
#include "rogue/fields.def"
};

/* The machine and the sample as a whole. */
struct rh_system {
	uint64_t present[2];
#define RH_SYSTEM_FIELD(id, name, type, kind, unit, title, source, brief, doc) RH_DECLARE_##type(name);
#include "rogue/system.def"
};

/* Bit of each field in the present mask: RH_F_score, RH_S_max_score. */
enum rh_field_id {
#define RH_FIELD(id, name, type, kind, unit, aggregate, title, width, source, brief, doc) RH_F_##name = (id),
#include "rogue/fields.def"
};
enum rh_system_id {
#define RH_SYSTEM_FIELD(id, name, type, kind, unit, title, source, brief, doc) RH_S_##name = (id),
#include "rogue/system.def"
};

enum rh_type { RH_TYPE_u8, RH_TYPE_u16, RH_TYPE_u32, RH_TYPE_u64, RH_TYPE_i8, RH_TYPE_i16, RH_TYPE_i32, RH_TYPE_f32, RH_TYPE_text16 };
enum rh_kind { RH_KIND_IDENT, RH_KIND_STATE, RH_KIND_GAUGE, RH_KIND_COUNTER, RH_KIND_RATE, RH_KIND_SHARE, RH_KIND_SCORE };
enum rh_aggregate { RH_AGGREGATE_NONE, RH_AGGREGATE_SUM, RH_AGGREGATE_MAX, RH_AGGREGATE_LAST };
enum rh_unit {
#define RH_UNIT(unit, suffix, text) RH_UNIT_##unit,
#include "rogue/units.def"
};

#define RH_STATE(value, name, letter) RH_STATE_##name = (value),
enum rh_process_state {
#include "rogue/codes.def"
};
#define RH_BAND(value, name) RH_BAND_##name = (value),
enum rh_band {
#include "rogue/codes.def"
	RH_BAND_COUNT
};
#define RH_RESOURCE(value, name) RH_RESOURCE_##name = (value),
enum rh_resource {
#include "rogue/codes.def"
	RH_RESOURCE_COUNT
};
#define RH_POLICY(value, name) RH_POLICY_##name = (value),
enum rh_policy {
#include "rogue/codes.def"
};
#define RH_STRESS(value, name) RH_STRESS_##name = (value),
enum rh_stress {
#include "rogue/codes.def"
};
#define RH_SAMPLER(value, name) RH_SAMPLER_##name = (value),
enum rh_sampler {
#include "rogue/codes.def"
};
#define RH_SAMPLER_REASON(value, name, text) RH_SAMPLER_REASON_##name = (value),
enum rh_sampler_reason {
#include "rogue/codes.def"
};
#define RH_GUARD_CLASS(value, name, text) RH_GUARD_CLASS_##name = (value),
enum rh_guard_class {
#include "rogue/codes.def"
};
#define RH_PROCESS_FLAG(bit, name, text) RH_PROCESS_##name = 1u << (bit),
enum rh_process_flag {
#include "rogue/codes.def"
};
#define RH_DEGRADED(bit, name, text) RH_DEGRADED_##name = 1u << (bit),
enum rh_degraded {
#include "rogue/codes.def"
};
#define RH_SIGNAL(bit, name, text, lost, enable) RH_SIGNAL_##name = (bit),
enum rh_signal {
#include "rogue/signals.def"
	RH_SIGNAL_COUNT
};

/* Is field `id` (RH_F_x of a process, RH_S_x of the system record) present in that mask? */
static inline bool rh_has(const uint64_t present[2], unsigned id)
{
	return id < RH_FIELD_IDS && (present[id / 64] >> (id % 64) & 1);
}

/* Marks a field as present. */
static inline void rh_set(uint64_t present[2], unsigned id)
{
	present[id / 64] |= UINT64_C(1) << (id % 64);
}

/* ---- what the layout promises, checked wherever this header is used ---- */
RH_STATIC_ASSERT(offsetof(struct rh_process, start_time_ns) == 16, "records open with the present mask");
RH_STATIC_ASSERT(offsetof(struct rh_process, cgroup_id) == RH_PROCESS_HOT_BYTES, "the hottest fields fill the first 128 bytes");
RH_STATIC_ASSERT(sizeof(struct rh_process) <= RH_PROCESS_MAX_BYTES, "a process record is at most 384 bytes");
RH_STATIC_ASSERT(sizeof(struct rh_system) <= RH_SYSTEM_MAX_BYTES, "the system record is at most 1024 bytes");
#define RH_FIELD(id, name, type, kind, unit, aggregate, title, width, source, brief, doc) \
	RH_STATIC_ASSERT((id) < RH_FIELD_IDS, #name ": id out of range");
#include "rogue/fields.def"
#define RH_SYSTEM_FIELD(id, name, type, kind, unit, title, source, brief, doc) \
	RH_STATIC_ASSERT((id) < RH_FIELD_IDS, #name ": id out of range");
#include "rogue/system.def"
/* No holes: every field lies where it would lie if nothing were ever aligned. */
struct rh_process_packed_ {
	uint64_t present[2];
#define RH_FIELD(id, name, type, kind, unit, aggregate, title, width, source, brief, doc) RH_DECLARE_##type(name);
#include "rogue/fields.def"
} __attribute__((packed));
struct rh_system_packed_ {
	uint64_t present[2];
#define RH_SYSTEM_FIELD(id, name, type, kind, unit, title, source, brief, doc) RH_DECLARE_##type(name);
#include "rogue/system.def"
} __attribute__((packed));
#define RH_FIELD(id, name, type, kind, unit, aggregate, title, width, source, brief, doc) \
	RH_STATIC_ASSERT(offsetof(struct rh_process, name) == offsetof(struct rh_process_packed_, name), #name ": misaligned");
#include "rogue/fields.def"
#define RH_SYSTEM_FIELD(id, name, type, kind, unit, title, source, brief, doc) \
	RH_STATIC_ASSERT(offsetof(struct rh_system, name) == offsetof(struct rh_system_packed_, name), #name ": misaligned");
#include "rogue/system.def"

#ifdef __cplusplus
}
#endif
#endif
