// Steps neurons in float64 and adds dense rows. Compiled once for each instruction set (VARIANT
// names it), as blocks.cpp is, and under its rules.
//
// No sum may be reordered and no product fused with a sum: each lane does what the numpy engine does.
#include <cmath>
#include <cstring>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

#include "clocked.hpp"
#include "rounding.hpp"

namespace neuro_lif {
namespace {

constexpr int CHUNK = 64;  // neurons that are looked at for spikes together

// What is compared of a neuron in its refractory period: it is above no threshold.
constexpr double LOWEST = -__builtin_inf();

#define EACH_LANE LANES_ARE_APART for (int i = 0; i < m; i++)

// u of several receptors, and their sum.
template <bool ONE>
inline void currents(const FloatJob& job, int first, int m) {
    double* __restrict drive = job.drive + first;
    for (int r = 0; r < job.n_receptors; r++) {
        double* __restrict u = job.u[r] + first;
        double* __restrict in = job.in[r] + first;
        const double* decay = job.decay_u[r].values + (ONE ? 0 : first);
        const double decay0 = decay[0];
        if (r == 0)
            EACH_LANE {
                const double x = (ONE ? decay0 : decay[i]) * u[i] + in[i];
                in[i] = 0;
                u[i] = x;
                drive[i] = x;
            }
        else
            EACH_LANE {
                const double x = (ONE ? decay0 : decay[i]) * u[i] + in[i];
                in[i] = 0;
                u[i] = x;
                drive[i] = drive[i] + x;
            }
    }
}

// One step of m neurons; returns whether some neuron spikes.
template <bool ONE, bool BIAS, bool HOLD, bool SEVERAL>
inline bool advance(const FloatJob& job, int first, int m) {
    double* __restrict u = job.u[0] + first;
    double* __restrict in = job.in[0] + first;
    double* __restrict v = job.v + first;
    const double* __restrict until = HOLD ? job.until + first : nullptr;
    const double* drive = SEVERAL ? job.drive + first : nullptr;
    const int own = ONE ? 0 : first;
    const double *decay_u = job.decay_u[0].values + own, *decay_v = job.decay_v.values + own;
    const double* threshold = job.threshold.values + own;
    const double* bias = job.bias.values + (BIAS ? first : 0);
    const double decay_u0 = decay_u[0], decay_v0 = decay_v[0], threshold0 = threshold[0];
    const double bias0 = bias[0], now = job.now;
    int64_t above = 0;
    if (SEVERAL) currents<ONE>(job, first, m);
    EACH_LANE {
        double x;
        if (SEVERAL) {
            x = drive[i];
        } else {
            x = (ONE ? decay_u0 : decay_u[i]) * u[i] + in[i];
            in[i] = 0;
            u[i] = x;
        }
        const double before = v[i];
        double y = before * (ONE ? decay_v0 : decay_v[i]) + x + (BIAS ? bias[i] : bias0);
        const double seen = HOLD ? (until[i] < now ? y : LOWEST) : y;
        if (HOLD) y = until[i] < now ? y : before;
        v[i] = y;
        above |= seen > (ONE ? threshold0 : threshold[i]) ? 1 : 0;
    }
    return above != 0;
}

inline double number(const Spread<double>& p, int i) { return p.values[p.each ? i : 0]; }

// How many spikes a neuron that spikes sends. What is no number, of inf / inf, is one spike.
inline double how_many(const FloatJob& job, int i) {
    const double threshold = number(job.amount, i);
    double many = threshold > 0 ? std::floor(job.v[i] / threshold) : 1.0;
    many = many >= 1 ? many : 1.0;
    return many > job.most ? job.most : many;
}

// Reset who spikes, and note them. Who does is listed without a branch: it cannot be foretold.
template <bool ONE, bool HOLD>
inline int fire(const FloatJob& job, int first, int m, uint32_t* found) {
    const double* threshold = job.threshold.values + (ONE ? 0 : first);
    const double* v = job.v + first;
    const double* until = HOLD ? job.until + first : nullptr;
    const double threshold0 = threshold[0], now = job.now;
    int64_t fires[CHUNK];
    EACH_LANE {
        const double seen = HOLD ? (until[i] < now ? v[i] : LOWEST) : v[i];
        fires[i] = seen > (ONE ? threshold0 : threshold[i]) ? 1 : 0;
    }
    int n = 0;
    for (int i = 0; i < m; i++) {
        found[n] = uint32_t(first + i);
        n += int(fires[i]);
    }
    for (int k = 0; k < n; k++) {
        const int i = int(found[k]);
        if (job.most > 1) {
            const double many = how_many(job, i);
            job.sent[i] = many;
            if (many > 1) *job.several = true;
            job.v[i] = job.subtract ? job.v[i] - many * number(job.amount, i) : 0.0;
        } else
            job.v[i] = job.subtract ? job.v[i] - number(job.amount, i) : 0.0;
        if (HOLD) job.until[i] = now + number(job.refract, i);
    }
    return n;
}

template <bool ONE, bool BIAS, bool HOLD, bool SEVERAL>
int run(const FloatJob& job) {
    int n = 0, first = 0;
    for (; first + CHUNK <= job.size; first += CHUNK)
        if (advance<ONE, BIAS, HOLD, SEVERAL>(job, first, CHUNK))
            n += fire<ONE, HOLD>(job, first, CHUNK, job.found + n);
    if (first < job.size && advance<ONE, BIAS, HOLD, SEVERAL>(job, first, job.size - first))
        n += fire<ONE, HOLD>(job, first, job.size - first, job.found + n);
    return n;
}

template <bool ONE, bool BIAS>
int run_one(const FloatJob& job) {
    if (job.n_receptors > 1)
        return job.until ? run<ONE, BIAS, true, true>(job) : run<ONE, BIAS, false, true>(job);
    return job.until ? run<ONE, BIAS, true, false>(job) : run<ONE, BIAS, false, false>(job);
}

int step(const FloatJob& job) {
    if (job.one) return job.bias.each ? run_one<true, true>(job) : run_one<true, false>(job);
    return job.bias.each ? run_one<false, true>(job) : run_one<false, false>(job);
}

void inject(double* __restrict out, const double* __restrict gain,
            const double* __restrict amperes, int m) {
    EACH_LANE out[i] = out[i] + gain[i] * amperes[i];
}

void add(double* __restrict out, const Spread<double>& bias, int m) {
    const double* values = bias.values;
    const double one = values[0];
    if (bias.each)
        EACH_LANE out[i] = values[i] + out[i];
    else
        EACH_LANE out[i] = one + out[i];
}

// ------------------------------------------------------------------ dense rows

#if defined(__AVX512F__)
constexpr int WIDTH = 8, MOST = 16;  // vectors of sums that stay in registers
#elif defined(__AVX2__)
constexpr int WIDTH = 4, MOST = 8;
#else
constexpr int WIDTH = 2, MOST = 8;
#endif

typedef double Vector __attribute__((vector_size(8 * WIDTH)));
#if !defined(__AVX2__)
typedef float Half __attribute__((vector_size(4 * WIDTH)));
#endif

inline Vector load(const double* p) {
    Vector x;
    std::memcpy(&x, p, sizeof x);
    return x;
}

inline Vector load(const float* p) {
#if defined(__AVX512F__)  // what GCC makes of the general way takes three instructions
    return Vector(_mm512_cvtps_pd(_mm256_loadu_ps(p)));
#elif defined(__AVX2__)
    return Vector(_mm256_cvtps_pd(_mm_loadu_ps(p)));
#else
    Half x;
    std::memcpy(&x, p, sizeof x);
    return __builtin_convertvector(x, Vector);
#endif
}

// R vectors of the sums, row after row.
template <int R, bool COUNTS, class W>
void add_rows(const FloatRowsJob& job, int64_t from) {
    Vector sum[R];
    for (int r = 0; r < R; r++) sum[r] = load(job.out + from + r * WIDTH);
    const W* base = static_cast<const W*>(job.rows) + from;
    for (int k = 0; k < job.n_active; k++) {
        const W* row = base + job.active[k] * job.stride;
        const double count = COUNTS ? job.values[job.active[k]] : 1.0;
        for (int r = 0; r < R; r++) {
            const Vector x = load(row + r * WIDTH);
            sum[r] += COUNTS ? count * x : x;
        }
    }
    for (int r = 0; r < R; r++) std::memcpy(job.out + from + r * WIDTH, &sum[r], sizeof sum[r]);
}

// As many vectors as there are, at most R.
template <int R, bool COUNTS, class W>
void add_at_most(const FloatRowsJob& job, int64_t from, int64_t left) {
    if constexpr (R > 1)
        if (left < R) return add_at_most<R - 1, COUNTS, W>(job, from, left);
    add_rows<R, COUNTS, W>(job, from);
}

template <bool COUNTS, class W>
void all_rows(const FloatRowsJob& job) {
    for (int64_t from = 0; from < job.stride; from += MOST * WIDTH)
        add_at_most<MOST, COUNTS, W>(job, from, (job.stride - from) / WIDTH);
}

void rows(const FloatRowsJob& job) {
    if (job.narrow)
        job.values ? all_rows<true, float>(job) : all_rows<false, float>(job);
    else
        job.values ? all_rows<true, double>(job) : all_rows<false, double>(job);
}

}  // namespace

#define CAT_(a, b) a##b
#define CAT(a, b) CAT_(a, b)
extern const FloatVariant CAT(clocked_, VARIANT);
const FloatVariant CAT(clocked_, VARIANT) = {step, rows, inject, add};

}  // namespace neuro_lif
