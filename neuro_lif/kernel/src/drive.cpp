// Draws Poisson input. Compiled once per instruction set (VARIANT names it); as in blocks.cpp,
// everything has internal linkage, and no function of the standard library is called.
#include "drive.hpp"

namespace neuro_lif {
namespace {

constexpr int APART = 64;         // neurons that take the same word of neighbouring counters
constexpr int BLOCK = 4 * APART;
constexpr int SHORT = 64;      // tables up to here are compared entry by entry, all lanes at once

#if defined(__clang__)
#define LANES_ARE_APART _Pragma("clang loop vectorize(assume_safety)")
#else
#define LANES_ARE_APART _Pragma("GCC ivdep")
#endif

inline uint32_t turned(uint32_t x, int by) { return x << by | x >> (32 - by); }

// Threefry-4x32-20 of (counter, t, 0) for 64 counters from `first` on: u[word * 64 + counter],
// their top bits turned.
// Source: Salmon et al. 2011, as in neuro_lif/poisson.py.
void threefry(const DriveJob& job, uint32_t first, int32_t* __restrict u) {
    const uint32_t k0 = job.key[0], k1 = job.key[1], k2 = job.key[2], k3 = job.key[3];
    const uint32_t k4 = 0x1BD11BDAu ^ k0 ^ k1 ^ k2 ^ k3;
    const uint32_t start1 = uint32_t(job.t) + k1, start2 = uint32_t(job.t >> 32) + k2;
    LANES_ARE_APART for (int i = 0; i < APART; i++) {
        uint32_t a = first + uint32_t(i) + k0, b = start1, c = start2, d = k3;
#define EVEN(r, s) a += b; b = turned(b, r) ^ a; c += d; d = turned(d, s) ^ c;
#define ODD(r, s) a += d; d = turned(d, r) ^ a; c += b; b = turned(b, s) ^ c;
#define FIRST_FOUR EVEN(10, 26) ODD(11, 21) EVEN(13, 27) ODD(23, 5)
#define NEXT_FOUR EVEN(6, 20) ODD(17, 11) EVEN(25, 10) ODD(18, 20)
        FIRST_FOUR a += k1; b += k2; c += k3; d += k4 + 1;
        NEXT_FOUR a += k2; b += k3; c += k4; d += k0 + 2;
        FIRST_FOUR a += k3; b += k4; c += k0; d += k1 + 3;
        NEXT_FOUR a += k4; b += k0; c += k1; d += k2 + 4;
        FIRST_FOUR a += k0; b += k1; c += k2; d += k3 + 5;
#undef EVEN
#undef ODD
#undef FIRST_FOUR
#undef NEXT_FOUR
        u[i] = int32_t(a ^ TURN);
        u[APART + i] = int32_t(b ^ TURN);
        u[2 * APART + i] = int32_t(c ^ TURN);
        u[3 * APART + i] = int32_t(d ^ TURN);
    }
}

// Compares every lane with a few entries a pass, until no lane reaches the last of them.
void by_passes(const DriveTable& table, const int32_t* __restrict u, int lanes,
               int32_t* __restrict counts) {
    for (int from = 0; from < table.n; from += AT_ONCE) {
        const int32_t* e = table.entries + from;
        const int32_t e0 = e[0], e1 = e[1], e2 = e[2], e3 = e[3];
        int32_t most = e3;
        LANES_ARE_APART for (int i = 0; i < lanes; i++) {
            int32_t c = counts[i];
            c = u[i] > e0 ? c + 1 : c;
            c = u[i] > e1 ? c + 1 : c;
            c = u[i] > e2 ? c + 1 : c;
            c = u[i] > e3 ? c + 1 : c;
            most = u[i] > most ? u[i] : most;
            counts[i] = c;
        }
        if (most == e3) return;
    }
}

// Source: H.-C. Chen, Y. Asau, On generating random variates from an empirical distribution, 1974.
inline int32_t by_guide(const DriveTable& table, int32_t u) {
    int32_t k = table.guide[(uint32_t(u) ^ TURN) >> 24];
    while (u > table.entries[k]) k++;
    return table.least + k;
}

void drive(const DriveJob& job) {
    alignas(64) int32_t u[BLOCK];
    alignas(64) int32_t counts[BLOCK];
    for (int first = job.first; first < job.size; first += BLOCK) {
        const int lanes = job.size - first < BLOCK ? job.size - first : BLOCK;
        const int padded = (lanes + 15) & ~15;
        threefry(job, uint32_t(first / 4), u);
        const uint16_t* which = job.table_of ? job.table_of + first : nullptr;
        bool same = true;
        for (int i = 1; which && i < lanes; i++) same &= which[i] == which[0];
        const DriveTable& table = job.tables[which ? which[0] : 0];
        if (same && table.n <= SHORT) {
            for (int i = 0; i < BLOCK; i++) counts[i] = table.least;
            by_passes(table, u, padded, counts);
        } else {
            for (int i = 0; i < lanes; i++)
                counts[i] = by_guide(job.tables[which ? which[i] : 0], u[i]);
        }
        int32_t* __restrict out = job.out + first;
        if (job.one_weight) {
            const int32_t weight = job.weights[0];
            for (int i = 0; i < lanes; i++) out[i] += counts[i] * weight;
        } else {
            const int32_t* weights = job.weights + first;
            for (int i = 0; i < lanes; i++) out[i] += counts[i] * weights[i];
        }
    }
}

}  // namespace

#define CAT_(a, b) a##b
#define CAT(a, b) CAT_(a, b)
extern const DriveFunction CAT(drive_, VARIANT);
const DriveFunction CAT(drive_, VARIANT) = drive;

}  // namespace neuro_lif
