//! Two sides of a match, as even as its parties allow.

use super::pick::pick;

/// Splits tickets of these sizes and skills into two sides. No ticket is split. The numbers of
/// players are as even as can be, and then, where several splits are, the skills more or less.
/// Answers the positions on each side.
pub fn split(tickets: &[(usize, f64)]) -> [Vec<usize>; 2] {
    let total: usize = tickets.iter().map(|(size, _)| size).sum();
    draft(tickets, total.div_ceil(2)).unwrap_or_else(|| {
        let sizes: Vec<usize> = tickets.iter().map(|(size, _)| *size).collect();
        let first = best_half(&sizes, total / 2);
        let rest = (0..tickets.len()).filter(|at| !first.contains(at));
        [rest.collect(), first]
    })
}

/// The largest sides choose first, the best of them first; each joins the weaker side that has
/// room. None if the sizes do not fit that way.
fn draft(tickets: &[(usize, f64)], half: usize) -> Option<[Vec<usize>; 2]> {
    let mut order: Vec<usize> = (0..tickets.len()).collect();
    order.sort_by(|a, b| {
        let ((a_size, a_skill), (b_size, b_skill)) = (tickets[*a], tickets[*b]);
        b_size.cmp(&a_size).then(b_skill.total_cmp(&a_skill))
    });
    let (mut sides, mut sizes, mut skills) = ([Vec::new(), Vec::new()], [0, 0], [0.0, 0.0]);
    for at in order {
        let (size, skill) = tickets[at];
        let weaker = usize::from(skills[1] < skills[0]);
        let side = [weaker, 1 - weaker]
            .into_iter()
            .find(|side| sizes[*side] + size <= half)?;
        sides[side].push(at);
        sizes[side] += size;
        skills[side] += skill * size as f64;
    }
    Some(sides)
}

/// Positions whose sizes sum to as much as can be without exceeding `half`.
fn best_half(sizes: &[usize], half: usize) -> Vec<usize> {
    let mut halves = (0..=half).rev();
    let best = halves.find_map(|least| pick(sizes, least, half));
    best.unwrap_or_default()
}
