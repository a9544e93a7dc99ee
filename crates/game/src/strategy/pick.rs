//! Which parties and players fill a number of places exactly.

/// Chooses from `sizes`, best first, so that their sum is `least` to `most`. Takes the best that
/// fit; where that leaves places open that others could fill, any choice that fills most of
/// them. Answers positions in `sizes`, ascending.
pub fn pick(sizes: &[usize], least: usize, most: usize) -> Option<Vec<usize>> {
    let (mut taken, mut sum) = (Vec::new(), 0);
    for (at, size) in sizes.iter().enumerate() {
        if sum == most {
            break;
        }
        if sum + size <= most {
            taken.push(at);
            sum += size;
        }
    }
    if sum >= least {
        return Some(taken);
    }
    // All of one: no other choice would sum to more.
    if sizes.iter().all(|size| *size == 1) {
        return None;
    }
    search(sizes, least, most)
}

/// Every sum up to `most` that a part of `sizes` has, and so the largest.
fn search(sizes: &[usize], least: usize, most: usize) -> Option<Vec<usize>> {
    /// Nothing sums to this yet.
    const OPEN: usize = usize::MAX;
    // The position of the size that was last added to reach a sum. The sum before it was
    // reached by earlier sizes only, so following it back uses each size once.
    let mut last = vec![OPEN; most + 1];
    let mut reached = vec![false; most + 1];
    reached[0] = true;
    for (at, size) in sizes.iter().enumerate() {
        for sum in (*size..=most).rev() {
            if *size > 0 && !reached[sum] && reached[sum - size] {
                reached[sum] = true;
                last[sum] = at;
            }
        }
    }
    let mut sum = (least..=most).rev().find(|sum| reached[*sum])?;
    let mut taken = Vec::new();
    while sum > 0 {
        taken.push(last[sum]);
        sum -= sizes[last[sum]];
    }
    taken.reverse();
    Some(taken)
}
