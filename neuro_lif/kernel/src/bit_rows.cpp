// Makes rows of bits.
#include <cstdlib>
#include <cstring>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "bits.hpp"

namespace neuro_lif {

void FreeMemory::operator()(uint64_t* at) const { std::free(at); }

namespace {

template <class P>
bool set_bits(uint64_t* row, const P* posts, int64_t first, int64_t last) {
    bool twice = false;
    for (int64_t k = first; k < last; k++) {
        uint64_t& word = row[posts[k] / 64];
        const uint64_t bit = uint64_t(1) << posts[k] % 64;
        twice |= word & bit;
        word |= bit;
    }
    return !twice;
}

}  // namespace

std::shared_ptr<Bits> Bits::of(int n_pre, int n_post, const int64_t* starts,
                               const void* posts, int width) {
    constexpr size_t LINE = 64, LARGE = size_t(1) << 21;
    auto out = std::make_shared<Bits>();
    out->stride = (n_post + 64 * BIT_WORDS - 1) / (64 * BIT_WORDS) * BIT_WORDS;
    size_t bytes = (size_t(n_pre) * out->stride + BIT_WORDS) * sizeof(uint64_t);
    const size_t line = bytes < LARGE ? LINE : LARGE;
    bytes = (bytes + line - 1) / line * line;
    auto* rows = static_cast<uint64_t*>(std::aligned_alloc(line, bytes));
    if (!rows) throw std::bad_alloc();
    out->rows.reset(rows);
#if defined(__linux__)
    if (line == LARGE) madvise(rows, bytes, MADV_HUGEPAGE);  // rows are read in any order
#endif
    std::memset(rows, 0, bytes);
    for (int pre = 0; pre < n_pre; pre++) {
        uint64_t* row = rows + pre * out->stride;
        const bool once =
            width == 2 ? set_bits(row, static_cast<const uint16_t*>(posts), starts[pre], starts[pre + 1])
                       : set_bits(row, static_cast<const uint32_t*>(posts), starts[pre], starts[pre + 1]);
        if (!once) return nullptr;
    }
    return out;
}

}  // namespace neuro_lif
