#!/usr/bin/env python3
"""An ad hoc reader in another language, with nothing but its standard library: the segment describes itself.

Usage: top.py INSTANCE [FIELD ...]

Prints the newest sample as one JSON object. The format and the steps of reading are those of the comment in shm/layout.h. Python
has no memory fences: on machines that reorder loads (not x86) a reader that must be certain uses librogue.
"""
import json
import mmap
import os
import struct
import sys

HEADER = "QIIHHIIIIIIIQQQQQQQQQQQ40s"
HEADER_NAMES = (
    "magic byte_order header_size major minor record_size system_size slots slot_size fields field_size writer_pid control_off "
    "schema_off slots_off arena_off arena_size total_size schema_hash generation writer_start_ns created_realtime_ns period_ns boot_id"
).split()
FIELD = "40s8s16sHHHBB8x"
FRAME = "QQIIII"
TYPES = {"u8": "B", "u16": "H", "u32": "I", "u64": "Q", "i8": "b", "i16": "h", "i32": "i", "f32": "f", "text16": "16s"}
TRIES = 8


def text(raw):
    return raw.split(b"\0")[0].decode("utf-8", "replace")


def up_to_line(size):
    return (size + 63) // 64 * 64


class Ring:
    def __init__(self, instance):
        fd = os.open("/dev/shm/rogue-hunter." + instance, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            self.map = mmap.mmap(fd, 0, prot=mmap.PROT_READ)
        finally:
            os.close(fd)
        self.header = dict(zip(HEADER_NAMES, struct.unpack_from("=" + HEADER, self.map, 0)))
        if self.header["magic"] != 0x31474E4952484F52 or self.header["byte_order"] != 0x01020304:
            sys.exit("not a rogue-hunter segment of this machine's byte order")
        if self.header["major"] != 1:
            sys.exit(f"format version {self.header['major']} is not 1")
        self.fields = {0: {}, 1: {}}  # scope: name: (id, type, offset)
        for i in range(self.header["fields"]):
            at = self.header["schema_off"] + i * self.header["field_size"]
            name, kind_of_value, _unit, number, offset, _size, _kind, scope = struct.unpack_from("=" + FIELD, self.map, at)
            self.fields[scope][text(name)] = (number, text(kind_of_value), offset)

    def newest(self):
        return struct.unpack_from("=Q", self.map, self.header["control_off"])[0]

    def values(self, scope, names, raw):
        present = int.from_bytes(raw[:16], sys.byteorder)
        found = {}
        for name in names:
            number, kind_of_value, offset = self.fields[scope][name]
            if kind_of_value in TYPES and present >> number & 1:
                value = struct.unpack_from("=" + TYPES[kind_of_value], raw, offset)[0]
                found[name] = text(value) if isinstance(value, bytes) else value
        return found

    def read(self, number, names):
        """Sample `number`, or None if it is gone or was overwritten meanwhile."""
        slot = self.header["slots_off"] + (number - 1) % self.header["slots"] * self.header["slot_size"]
        even = (2 * ((number - 1) // self.header["slots"]) + 2) % 2**32

        def complete():
            return struct.unpack_from("=I", self.map, slot)[0] == even

        if not complete():
            return None
        frame_number, offset, capacity, count, total, stride = struct.unpack_from("=" + FRAME, self.map, slot + 64)
        system = self.map[slot + 96 : slot + 96 + self.header["system_size"]]
        if not complete() or frame_number != number:
            return None
        first = offset + 2 * up_to_line(4 * capacity)
        records = self.map[first : first + count * stride]
        if not complete():
            return None
        processes = [self.values(0, names, records[i * stride : (i + 1) * stride]) for i in range(count)]
        return {
            "sample": number,
            "total": total,
            "system": self.values(1, ["process_count", "max_score"], system),
            "processes": processes,
        }


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    ring = Ring(sys.argv[1])
    names = sys.argv[2:] or ["pid", "command", "score", "cpu_pct"]
    unknown = [name for name in names if name not in ring.fields[0]]
    if unknown:
        sys.exit("no such field: " + ", ".join(unknown))
    for _ in range(TRIES):
        number = ring.newest()
        sample = ring.read(number, names) if number else None
        if sample:
            print(json.dumps(sample))
            return
    sys.exit("no sample could be read")


main()
