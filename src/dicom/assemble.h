// A data set of metadata and its bulk data made into the bytes of an object: Explicit VR Little Endian, in
// pieces, so that bulk data of up to 4 GB stream by (STOW-RS, PS3.18 10.5; dicom/model.h).
//
//   for (;;) {
//       next(): BYTES  send them
//               BULK   get the bulk data ready, then either
//                        value(): send the header, then exactly so many bytes
//                      or fragments(): send the header; for each frame fragment(): send the header, then
//                        exactly so many bytes; at last fragments_end(): send what it gives
//               END    done
//   }
//
// Sequences and items have undefined lengths, because what is in them is not known beforehand. Odd lengths
// are padded. Encapsulated pixel data get an empty Basic Offset Table (PS3.5 A.4) and are OB; the transfer
// syntax in the File Meta Information is the caller's business, and so is whether the bytes are what it says.
#ifndef DICOM_ASSEMBLE_H
#define DICOM_ASSEMBLE_H

#include "dicom/dataset.h"

enum dicom_piece_kind { DICOM_PIECE_BYTES, DICOM_PIECE_BULK, DICOM_PIECE_END };

struct dicom_piece {
    enum dicom_piece_kind kind;
    struct slice bytes; // BYTES: the assembler's or the data set's, until the next call
    uint64_t bulk;      // BULK: ref.offset of the element, which is its index in dicom_model.bulk
    uint32_t tag;
    enum vr vr;
    unsigned depth; // 0: at the top level
};

struct dicom_assembler;

// The data set must live as long. NULL: no memory.
struct dicom_assembler *dicom_assembler_new(const struct dicom_dataset *ds);
void dicom_assembler_free(struct dicom_assembler *a);

// ERR_NO_MEMORY; ERR_DEPTH; ERR_LIMIT: a value of 4 GB or more.
enum err dicom_assembler_next(struct dicom_assembler *a, struct fault *f, struct dicom_piece *ret_piece);

// After BULK. Slices are the assembler's, until the next call.
enum err dicom_assembler_value(struct dicom_assembler *a, uint64_t bytes, struct fault *f,
                               struct slice *ret_header);
enum err dicom_assembler_fragments(struct dicom_assembler *a, struct fault *f, struct slice *ret_header);
enum err dicom_assembler_fragment(struct dicom_assembler *a, uint64_t bytes, struct fault *f,
                                  struct slice *ret_header);
enum err dicom_assembler_fragments_end(struct dicom_assembler *a, struct fault *f, struct slice *ret_end);

#endif
