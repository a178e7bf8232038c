/* Protobuf's wire format, off the front of what is still to be read. */

#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <Python.h>

/* Bytes of a record; `at` is NULL where there are none, as opposed to no bytes. */
typedef struct {
    const uint8_t *at;
    Py_ssize_t size;
} Span;

enum wire { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };

typedef struct {
    uint32_t number;
    enum wire wire;
    uint64_t value; /* of a varint */
    Span bytes;
} Field;

/* A varint off the front of `in`; false for one that is cut off or longer than need be: Protobuf
 * takes some of these and refuses others. */
static bool
take_varint(Span *in, uint64_t *value)
{
    uint64_t read = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        if (in->size == 0)
            return false;
        uint8_t byte = *in->at++;
        in->size--;
        /* Of a tenth byte one bit is left. */
        if ((shift == 63 && byte > 1) || (shift > 0 && byte == 0))
            return false;
        read |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *value = read;
            return true;
        }
    }
    return false;
}

static bool
take_bytes(Span *in, uint64_t size, Span *taken)
{
    if (size > (uint64_t)in->size)
        return false;
    *taken = (Span){in->at, (Py_ssize_t)size};
    in->at += size;
    in->size -= (Py_ssize_t)size;
    return true;
}

/* A field off the front of `in`; false for what is no field, or of a kind that Parley never had. */
static bool
take_field(Span *in, Field *field)
{
    uint64_t tag, size;
    if (!take_varint(in, &tag) || tag > UINT32_MAX || tag >> 3 == 0)
        return false;
    field->number = (uint32_t)(tag >> 3);
    field->wire = (enum wire)(tag & 7);
    switch (field->wire) {
    case VARINT:
        return take_varint(in, &field->value);
    case BYTES:
        return take_varint(in, &size) && take_bytes(in, size, &field->bytes);
    case FIXED64:
        return take_bytes(in, 8, &field->bytes);
    case FIXED32:
        return take_bytes(in, 4, &field->bytes);
    }
    return false;
}

/* Keep what is there once: of a text that is there twice the last would count, of a part both. */
static bool
keep(const Field *field, Span *slot)
{
    if (field->wire != BYTES || slot->at != NULL)
        return false;
    *slot = field->bytes;
    return true;
}
