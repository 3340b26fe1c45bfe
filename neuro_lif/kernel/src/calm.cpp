// Steps the usual LIF neuron where nothing can leave its range, whatever arrives: see Calm in
// program.hpp. Compiled once for each instruction set, as blocks.cpp is, and under its rules.
#include <cstring>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

#include "program.hpp"
#include "rounding.hpp"

namespace neuro_lif {
namespace {

// A parameter of the block that begins at neuron `first`.
template <class T>
inline const T* at(const Spread<T>& p, int first) {
    return p.each ? p.values + first : p.values;
}

// Lanes of a block, with those that fill it.
inline int lanes_of(const CalmJob& job, int block) {
    const int left = job.size - block * LANES;
    return ((left < LANES ? left : LANES) + GROUP - 1) & ~(GROUP - 1);
}

// Tells whether the next step of a block is safe.
bool is_calm(const CalmJob& job, int block) {
    const int first = block * LANES, m = lanes_of(job, block);
    const int32_t *u = job.u + first, *v = job.v + first;
    uint32_t far_u = 0, far_v = 0;
    LANES_ARE_APART for (int i = 0; i < m; i++) {
        far_u |= uint32_t(u[i]) + uint32_t(job.safe_u);
        far_v |= uint32_t(v[i]) + uint32_t(job.safe_v);
    }
    return !(far_u & ~(2u * uint32_t(job.safe_u) - 1)) && !(far_v & ~(2u * uint32_t(job.safe_v) - 1));
}

#if defined(__AVX512F__)

// Reset the neurons `fired` of the 16 from `i` on, and note them; lanes beyond the last neuron are
// reset too, but not noted. Returns how many were noted.
inline int spike(const CalmJob& job, int i, __mmask16 fired, uint32_t* found) {
    const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const int in_reset = job.reset.each ? i : 0, in_refract = job.refract.each ? i : 0;
    _mm512_mask_storeu_epi32(job.v + i, fired, _mm512_loadu_si512(job.reset.values + in_reset));
    if (job.until)
        _mm512_mask_storeu_epi32(
            job.until + i, fired,
            _mm512_add_epi32(_mm512_set1_epi32(job.now - 1),
                             _mm512_loadu_si512(job.refract.values + in_refract)));
    if (job.size - i < 16) fired &= __mmask16((1u << (job.size - i)) - 1);
    _mm512_mask_storeu_epi32(job.values + i, fired, _mm512_set1_epi32(1));
    _mm512_storeu_si512(found, _mm512_maskz_compress_epi32(
                                   fired, _mm512_add_epi32(lane, _mm512_set1_epi32(i))));
    return __builtin_popcount(fired);
}

// All blocks in one loop: what is above threshold is one bit each, looked at afterwards. The
// product is rounded toward zero to 24 bits, which leaves its whole part alone.
template <bool ONE, bool HOLD>
int run(const CalmJob& job) {
    constexpr int TO_ZERO = _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC;
    const int first = job.first_block * LANES, most = job.last_block * LANES;
    const int last = ((job.size < most ? job.size : most) + GROUP - 1) & ~(GROUP - 1);
    alignas(64) uint16_t above[CALM_BLOCKS * LANES / 16 + 4];
    const __m512i now = _mm512_set1_epi32(job.now), zero = _mm512_setzero_si512();
    const __m512i safe_u = _mm512_set1_epi32(job.safe_u), safe_v = _mm512_set1_epi32(job.safe_v);
    const __m128i shift = _mm_cvtsi32_si128(job.shift);
    const __m512 fu = _mm512_set1_ps(*job.factor_u.values), fv = _mm512_set1_ps(*job.factor_v.values);
    const __m512i bias = _mm512_set1_epi32(*job.bias.values);
    const __m512i held = _mm512_set1_epi32(HOLD ? *job.held.values : 0);
    const __m512i threshold = _mm512_set1_epi32(*job.threshold.values);
    auto number = [](const Spread<int32_t>& p, __m512i one, int i) {
        return ONE || !p.each ? one : _mm512_loadu_si512(p.values + i);
    };
    auto factor = [](const Spread<float>& p, __m512 one, int i) {
        return ONE || !p.each ? one : _mm512_loadu_ps(p.values + i);
    };
    __m512i far_u = zero, far_v = zero;
    for (int i = first; i < last; i += 16) {
        __m512i u = _mm512_cvttps_epi32(_mm512_mul_round_ps(
            _mm512_cvtepi32_ps(_mm512_loadu_si512(job.u + i)), factor(job.factor_u, fu, i), TO_ZERO));
        if (job.in) {
            u = _mm512_add_epi32(u, _mm512_sll_epi32(_mm512_loadu_si512(job.in + i), shift));
            _mm512_storeu_si512(job.in + i, zero);
        }
        _mm512_storeu_si512(job.u + i, u);
        far_u = _mm512_or_si512(far_u, _mm512_add_epi32(u, safe_u));
        __m512i v = _mm512_cvttps_epi32(_mm512_mul_round_ps(
            _mm512_cvtepi32_ps(_mm512_loadu_si512(job.v + i)), factor(job.factor_v, fv, i), TO_ZERO));
        v = _mm512_add_epi32(v, _mm512_add_epi32(u, number(job.bias, bias, i)));
        if (HOLD)
            v = _mm512_mask_mov_epi32(
                v, _mm512_cmple_epi32_mask(now, _mm512_loadu_si512(job.until + i)),
                number(job.held, held, i));
        _mm512_storeu_si512(job.v + i, v);
        far_v = _mm512_or_si512(far_v, _mm512_add_epi32(v, safe_v));
        above[(i - first) / 16] =
            uint16_t(_mm512_cmpgt_epi32_mask(v, number(job.threshold, threshold, i)));
    }
    const int groups = (last - first) / 16;
    std::memset(above + groups, 0, 4 * sizeof above[0]);
    int n = 0;
    for (int k = 0; k < groups; k += 4) {
        uint64_t four;
        std::memcpy(&four, above + k, 8);
        for (int j = k; four; four >>= 16, j++)
            if (four & 0xffff)
                n += spike(job, first + 16 * j, __mmask16(four & 0xffff), job.found + n);
    }
    const __m512i beyond_u = _mm512_set1_epi32(~(2 * job.safe_u - 1));
    const __m512i beyond_v = _mm512_set1_epi32(~(2 * job.safe_v - 1));
    const bool all = !(_mm512_test_epi32_mask(far_u, beyond_u) | _mm512_test_epi32_mask(far_v, beyond_v));
    for (int block = job.first_block; block < job.last_block; block++)
        job.calm[block] = all || is_calm(job, block);
    return n;
}

#else

inline int32_t bits_sum(int32_t a, int32_t b) { return int32_t(uint32_t(a) + uint32_t(b)); }

// Returns whether some neuron is above threshold.
template <bool ONE, bool HOLD>
bool advance(const CalmJob& job, int first, int m, int32_t* __restrict in) {
    int32_t* __restrict u = job.u + first;
    int32_t* __restrict v = job.v + first;
    const int32_t* __restrict until = HOLD ? job.until + first : nullptr;
    const float *fu = at(job.factor_u, first), *fv = at(job.factor_v, first);
    const int32_t *bias = at(job.bias, first), *held = HOLD ? at(job.held, first) : nullptr;
    const int32_t* threshold = at(job.threshold, first);
    const float fu0 = fu[0], fv0 = fv[0];
    const int32_t bias0 = bias[0], held0 = HOLD ? held[0] : 0, threshold0 = threshold[0];
    const int32_t now = job.now;
    const int k = job.shift;
    int32_t above = 0;
    LANES_ARE_APART for (int i = 0; i < m; i++) {
        const int32_t current =
            bits_sum(int32_t(float(u[i]) * (ONE ? fu0 : fu[i])), int32_t(uint32_t(in[i]) << k));
        in[i] = 0;
        u[i] = current;
        int32_t voltage = bits_sum(int32_t(float(v[i]) * (ONE ? fv0 : fv[i])),
                                   bits_sum(current, ONE ? bias0 : bias[i]));
        if (HOLD) voltage = until[i] >= now ? (ONE ? held0 : held[i]) : voltage;
        above |= voltage > (ONE ? threshold0 : threshold[i]);
        v[i] = voltage;
    }
    return above != 0;
}

// Find who is above threshold, and reset them; the lanes that only fill the block are reset too.
int fire(const CalmJob& job, int first, int m, uint32_t* found) {
    int32_t *v = job.v + first, *until = job.until ? job.until + first : nullptr;
    const int32_t *threshold = at(job.threshold, first), *reset = at(job.reset, first);
    const int32_t* refract = until ? at(job.refract, first) : nullptr;
    int n = 0;
    for (int i = 0; i < m; i++) {
        if (v[i] <= threshold[i]) continue;
        v[i] = reset[i];
        if (until) until[i] = job.now - 1 + refract[i];
        if (first + i >= job.size) continue;
        job.values[first + i] = 1;
        found[n++] = uint32_t(first + i);
    }
    return n;
}

template <bool ONE, bool HOLD>
int run(const CalmJob& job) {
    TowardZero mode;
    alignas(64) int32_t nothing[LANES];
    if (!job.in) std::memset(nothing, 0, sizeof nothing);
    int n = 0;
    for (int block = job.first_block; block < job.last_block; block++) {
        const int first = block * LANES, m = lanes_of(job, block);
        if (advance<ONE, HOLD>(job, first, m, job.in ? job.in + first : nothing))
            n += fire(job, first, m, job.found + n);
        job.calm[block] = is_calm(job, block);
    }
    return n;
}

#endif

}  // namespace

#define CAT_(a, b) a##b
#define CAT(a, b) CAT_(a, b)
int CAT(calm_, VARIANT)(const CalmJob& job);
int CAT(calm_, VARIANT)(const CalmJob& job) {
    if (job.one) return job.until ? run<true, true>(job) : run<true, false>(job);
    return job.until ? run<false, true>(job) : run<false, false>(job);
}

}  // namespace neuro_lif
