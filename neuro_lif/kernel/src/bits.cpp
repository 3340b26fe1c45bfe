// Adds up rows of bits. Compiled once per instruction set, under the rules of blocks.cpp:
// everything in an unnamed namespace, and no function of the standard library that may be inlined.
//
// Many rows are counted in planes: plane k has bit k of every neuron's count. Eight rows at a time
// go through a tree of full adders, so that most of them cost a few operations for each 512 neurons.
// Source: W. Mula, N. Kurz, D. Lemire, Faster population counts using AVX2 instructions, 2018 (the
// Harley-Seal tree), here by position.
#include "bits.hpp"

#include <cstring>

#include "program.hpp"
#include "vectors.hpp"

namespace neuro_lif {
namespace {

constexpr int WORDS = BYTES / 8;
constexpr int TILE = 256;        // words of the planes: 16,384 neurons
constexpr int N_PLANES = 8;
constexpr int TOGETHER = 248;    // rows whose counts fit the planes, a multiple of EIGHT
constexpr int EIGHT = 8;
constexpr int FEW = 3;           // rows that are quicker added one by one

typedef uint64_t Vector __attribute__((vector_size(BYTES)));

inline Vector load(const uint64_t* at) {
    Vector x;
    std::memcpy(&x, at, sizeof x);
    return x;
}

inline void store(uint64_t* at, Vector x) { std::memcpy(at, &x, sizeof x); }

// a + b + c: the sum stays in a, what is carried is returned.
inline Vector add(Vector& a, Vector b, Vector c) {
#if defined(__AVX512BW__)
    const __m512i x = __m512i(a), y = __m512i(b), z = __m512i(c);
    a = Vector(_mm512_ternarylogic_epi64(x, y, z, 0x96));
    return Vector(_mm512_ternarylogic_epi64(x, y, z, 0xe8));
#else
    const Vector either = a ^ b, carry = (a & b) | (either & c);
    a = either ^ c;
    return carry;
#endif
}

struct Planes {
    alignas(64) uint64_t at[N_PLANES][TILE];
};

constexpr struct Zeros {
    alignas(64) uint64_t at[TILE + BIT_WORDS];
} ZEROS{};

// Add eight rows to the planes; `used` of them may be set afterwards.
void add_eight(Planes& planes, const uint64_t* const* row, const uint64_t* const* next, int words,
               int used) {
    for (int w = 0; w < words; w += WORDS) {
        if (w % 8 == 0)
            for (int k = 0; k < EIGHT; k++) __builtin_prefetch(next[k] + w);
        Vector ones = load(planes.at[0] + w), twos = load(planes.at[1] + w),
               fours = load(planes.at[2] + w);
        const Vector two_a = add(ones, load(row[0] + w), load(row[1] + w));
        const Vector two_b = add(ones, load(row[2] + w), load(row[3] + w));
        const Vector four_a = add(twos, two_a, two_b);
        const Vector two_c = add(ones, load(row[4] + w), load(row[5] + w));
        const Vector two_d = add(ones, load(row[6] + w), load(row[7] + w));
        const Vector four_b = add(twos, two_c, two_d);
        Vector carry = add(fours, four_a, four_b);
        store(planes.at[0] + w, ones);
        store(planes.at[1] + w, twos);
        store(planes.at[2] + w, fours);
        for (int k = 3; k < used; k++) {
            const Vector x = load(planes.at[k] + w);
            store(planes.at[k] + w, x ^ carry);
            carry = x & carry;
        }
    }
}

#if defined(__AVX512BW__)

// Add to out, which has room for n neurons, a multiple of 16 up to 64.
inline void add_counts(__m512i counts, __m512i weight, int32_t* out, int n) {
    auto piece = [&](__m128i x, int32_t* at) {
        const __m512i sum = _mm512_mullo_epi32(_mm512_maskz_cvtepu8_epi32(0xffff, x), weight);
        _mm512_storeu_si512(at, _mm512_add_epi32(_mm512_loadu_si512(at), sum));
    };
    piece(_mm512_castsi512_si128(counts), out);
    if (n > 16) piece(_mm512_maskz_extracti32x4_epi32(0xf, counts, 1), out + 16);
    if (n > 32) piece(_mm512_maskz_extracti32x4_epi32(0xf, counts, 2), out + 32);
    if (n > 48) piece(_mm512_maskz_extracti32x4_epi32(0xf, counts, 3), out + 48);
}

void unfold(const Planes& planes, int used, int n, int32_t weight, int32_t* out) {
    const __m512i factor = _mm512_set1_epi32(weight);
    for (int w = 0, left = n; left > 0; w++, left -= 64) {
        __m512i counts = _mm512_setzero_si512();
        for (int k = 0; k < used; k++)
            counts = _mm512_mask_add_epi8(counts, planes.at[k][w], counts,
                                          _mm512_set1_epi8(char(1 << k)));
        add_counts(counts, factor, out + w * 64, left);
    }
}

void add_alone(const uint64_t* row, int n, int32_t weight, int32_t* out) {
    const __m512i one = _mm512_set1_epi32(weight);
    for (int i = 0; i < n; i += 16) {
        const __m512i x = _mm512_loadu_si512(out + i);
        _mm512_storeu_si512(out + i, _mm512_mask_add_epi32(x, __mmask16(row[i / 64] >> i % 64), x, one));
    }
}

#else

// Bit i of a byte in byte i.
struct Spread8 {
    uint64_t of[256];
    constexpr Spread8() : of{} {
        for (int x = 0; x < 256; x++)
            for (int i = 0; i < 8; i++) of[x] |= uint64_t(x >> i & 1) << 8 * i;
    }
};
constexpr Spread8 SPREAD{};

void unfold(const Planes& planes, int used, int n, int32_t weight, int32_t* out) {
    for (int i = 0; i < n; i += 8) {
        uint64_t counts = 0;
        for (int k = 0; k < used; k++)
            counts += SPREAD.of[planes.at[k][i / 64] >> i % 64 & 255] << k;
        for (int j = 0; j < 8; j++) out[i + j] += int32_t(counts >> 8 * j & 255) * weight;
    }
}

void add_alone(const uint64_t* row, int n, int32_t weight, int32_t* out) {
    for (int i = 0; i < n; i += 64)
        for (uint64_t x = row[i / 64]; x; x &= x - 1) out[i + __builtin_ctzll(x)] += weight;
}

#endif

void add_bits(const BitsJob& job) {
    Planes planes;
    const int end = (job.to + GROUP - 1) / GROUP * GROUP;
    for (int from = job.from; from < end; from += TILE * 64) {
        const int n = end - from < TILE * 64 ? end - from : TILE * 64;
        const int words = (n + 64 * WORDS - 1) / (64 * WORDS) * WORDS;
        const uint64_t* base = job.bits->rows.get() + from / 64;
        auto row = [&](int k) { return k < job.n_active ? base + job.active[k] * job.bits->stride : ZEROS.at; };
        if (job.n_active <= FEW) {
            for (int k = 0; k < job.n_active; k++) add_alone(row(k), n, job.weight, job.out + from);
            continue;
        }
        for (int first = 0; first < job.n_active; first += TOGETHER) {
            const int left = job.n_active - first, many = left < TOGETHER ? left : TOGETHER;
            int used = 3;
            while (many >> used) used++;
            for (int k = 0; k < used; k++) std::memset(planes.at[k], 0, sizeof(uint64_t) * words);
            for (int k = first; k < first + many; k += EIGHT) {
                const uint64_t *now[EIGHT], *next[EIGHT];
                for (int j = 0; j < EIGHT; j++) now[j] = k + j < first + many ? row(k + j) : ZEROS.at;
                for (int j = 0; j < EIGHT; j++) next[j] = row(k + EIGHT + j);
                add_eight(planes, now, next, words, used);
            }
            unfold(planes, used, n, job.weight, job.out + from);
        }
    }
}

// ------------------------------------------------------------------ a weight for each synapse

int ones_before(const uint64_t* row, int words) {
    int n = 0;
    for (int w = 0; w < words; w++) n += __builtin_popcountll(row[w]);
    return n;
}

#if defined(__AVX512BW__)

constexpr int ROWS_AT_ONCE = 4;
constexpr int SUMMED = 252;  // rows of bytes that can be added up in 16 bits without overflow

struct Four {
    const uint64_t* row[ROWS_AT_ONCE];
    const int8_t* weights[ROWS_AT_ONCE];
    bool apart;  // from the end of all weights: 64 bytes may be read beyond those of the rows
};

// How weights are read: as many as there are; 32, if that is enough; or always 64, which takes two
// lines of the cache.
enum class Reading { exact, half, whole };

template <Reading HOW>
__attribute__((target("avx512vbmi2"))) inline __m512i expanded(const int8_t*& at, uint64_t mask) {
    const int n = __builtin_popcountll(mask);
    __m512i bytes;
    if (HOW == Reading::exact) {
        bytes = _mm512_maskz_loadu_epi8(n < 64 ? (uint64_t(1) << n) - 1 : ~uint64_t(0), at);
    } else if (HOW == Reading::whole) {
        bytes = _mm512_loadu_si512(at);
    } else {
        bytes = _mm512_castsi256_si512(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at)));
        if (__builtin_expect(n > 32, 0)) bytes = _mm512_loadu_si512(at);
    }
    at += n;
    return _mm512_maskz_expand_epi8(mask, bytes);
}

// Add four rows to the sums of `words` words. A product with 1 adds the bytes of two rows in one
// step, without a move across the vector; hence the order of the sums: of each 16 neurons, the
// first 8 in a word's first vector, the others in its second one.
template <Reading HOW>
__attribute__((target("avx512vbmi2"))) void expand_four(const Four& four, const Four& after,
                                                        int16_t* sums, int words) {
    const int8_t *a = four.weights[0], *b = four.weights[1], *c = four.weights[2],
                 *d = four.weights[3];
    const uint64_t* const* row = four.row;
    const __m512i ones = _mm512_set1_epi8(1);
    for (int w = 0; w < words; w++) {
        if (w % 8 == 0)
            for (int k = 0; k < ROWS_AT_ONCE; k++) {
                __builtin_prefetch(after.row[k] + w);
                __builtin_prefetch(after.weights[k] + (a - four.weights[0]));
            }
        __m512i low = _mm512_loadu_si512(sums + w * 64), high = _mm512_loadu_si512(sums + w * 64 + 32);
        auto add = [&](__m512i x, __m512i y) {
            low = _mm512_add_epi16(low, _mm512_maddubs_epi16(ones, _mm512_unpacklo_epi8(x, y)));
            high = _mm512_add_epi16(high, _mm512_maddubs_epi16(ones, _mm512_unpackhi_epi8(x, y)));
        };
        const __m512i x = expanded<HOW>(a, row[0][w]), y = expanded<HOW>(b, row[1][w]);
        add(x, y);
        const __m512i z = expanded<HOW>(c, row[2][w]), v = expanded<HOW>(d, row[3][w]);
        add(z, v);
        _mm512_storeu_si512(sums + w * 64, low);
        _mm512_storeu_si512(sums + w * 64 + 32, high);
    }
}

// Sums in the order of expand_four.
void add_sums(const int16_t* sums, int n, int shift, int32_t* out) {
    const __m128i by = _mm_cvtsi32_si128(shift);
    for (int i = 0; i < n; i += 16) {
        const int16_t* low = sums + i / 64 * 64 + i % 64 / 2;
        const __m256i x = _mm256_set_m128i(_mm_loadu_si128(reinterpret_cast<const __m128i*>(low + 32)),
                                           _mm_loadu_si128(reinterpret_cast<const __m128i*>(low)));
        const __m512i wide = _mm512_sll_epi32(_mm512_cvtepi16_epi32(x), by);
        _mm512_storeu_si512(out + i, _mm512_add_epi32(_mm512_loadu_si512(out + i), wide));
    }
}

// Ask for the memory of the first rows, which no rows before them could do.
void fetch(const Four& four, int words) {
    for (int k = 0; k < ROWS_AT_ONCE; k++)
        for (int w = 0; w < words; w += 8) {
            __builtin_prefetch(four.row[k] + w);
            __builtin_prefetch(four.weights[k] + 8 * w);
        }
}

void expand(const BitsJob& job) {
    alignas(64) int16_t sums[TILE * 64];
    const Bits& bits = *job.bits;
    const int end = (job.to + GROUP - 1) / GROUP * GROUP;
    // 20 of 64 on average are more than 32 now and then only
    const bool crowded = bits.n_each > 20 * bits.stride * (int64_t(bits.starts.size()) - 1);
    for (int from = job.from; from < end; from += TILE * 64) {
        const int n = end - from < TILE * 64 ? end - from : TILE * 64, words = (n + 63) / 64;
        for (int first = 0; first < job.n_active; first += SUMMED) {
            const int last = job.n_active < first + SUMMED ? job.n_active : first + SUMMED;
            std::memset(sums, 0, sizeof(int16_t) * 64 * words);
            auto four = [&](int k) {
                Four out;
                out.apart = bits.n_each >= 64;
                for (int j = 0; j < ROWS_AT_ONCE; j++) {
                    out.row[j] = ZEROS.at;
                    out.weights[j] = bits.each;
                    if (k + j >= last) continue;
                    const uint32_t pre = job.active[k + j];
                    const uint64_t* start = bits.rows.get() + pre * bits.stride;
                    out.row[j] = start + from / 64;
                    out.weights[j] = bits.each + bits.starts[pre] + ones_before(start, from / 64);
                    out.apart &= bits.starts[pre + 1] + 64 <= bits.n_each;
                }
                return out;
            };
            Four now = four(first);
            fetch(now, words);
            for (int k = first; k < last; k += ROWS_AT_ONCE) {
                const Four after = four(k + ROWS_AT_ONCE);
                const auto add = !now.apart ? expand_four<Reading::exact>
                                 : crowded  ? expand_four<Reading::whole>
                                            : expand_four<Reading::half>;
                add(now, after, sums, words);
                now = after;
            }
            add_sums(sums, n, bits.shift, job.out + from);
        }
    }
}

#endif

void walk(const BitsJob& job) {
    const Bits& bits = *job.bits;
    const int first = job.from / 64, last = (job.to + 63) / 64;
    for (int k = 0; k < job.n_active; k++) {
        const uint64_t* row = bits.rows.get() + job.active[k] * bits.stride;
        const int8_t* weight = bits.each + bits.starts[job.active[k]] + ones_before(row, first);
        for (int w = first; w < last; w++) {
            uint64_t mask = row[w];
            if (w == last - 1 && job.to % 64) mask &= (uint64_t(1) << job.to % 64) - 1;
            int32_t* out = job.out + w * 64;
            for (; mask; mask &= mask - 1)
                out[__builtin_ctzll(mask)] += int32_t(uint32_t(int32_t(*weight++)) << bits.shift);
        }
    }
}

void spread(const BitsJob& job) {
#if defined(__AVX512BW__)
    if (__builtin_cpu_supports("avx512vbmi2")) return expand(job);
#endif
    walk(job);
}

}  // namespace

#define CAT_(a, b) a##b
#define CAT(a, b) CAT_(a, b)
extern const BitsVariant CAT(bits_, VARIANT);
const BitsVariant CAT(bits_, VARIANT) = {add_bits, spread};

}  // namespace neuro_lif
