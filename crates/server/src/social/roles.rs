//! What a member of a group may do, by role.
//!
//! Owner, admin, moderator, member: whoever stands higher decides about whoever stands lower.
//! From the original, with two holes closed: there an admin could demote the owner, and the
//! owner had no way to hand the group over.

use serde::Serialize;
use utoipa::ToSchema;

/// A member's role, the lowest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = GroupRole)]
pub(super) enum Role {
    /// Belongs to the group.
    Member,
    /// Invites, admits and removes members.
    Moderator,
    /// Also changes the group and its members' roles.
    Admin,
    /// Also hands the group over. A group has one.
    Owner,
}

impl Role {
    /// Every role, the lowest first.
    pub(super) const ALL: [Self; 4] = [Self::Member, Self::Moderator, Self::Admin, Self::Owner];

    /// The role as it is written.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Moderator => "moderator",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }

    /// The role of this name.
    pub(super) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }

    /// Whether this role changes the group.
    pub(super) fn may_update(self) -> bool {
        self >= Self::Admin
    }

    /// Whether this role invites players and answers their requests.
    pub(super) fn may_invite(self) -> bool {
        self >= Self::Moderator
    }

    /// Whether this role removes a member of that role.
    pub(super) fn may_kick(self, target: Self) -> bool {
        self >= Self::Moderator && self > target
    }

    /// Whether this role makes another member, who is `current` now, a `new`. Only an owner
    /// makes an owner: the group is handed over.
    pub(super) fn may_assign(self, current: Self, new: Self) -> bool {
        let hands_over = self == Self::Owner && new == Self::Owner;
        self >= Self::Admin && self > current && (self > new || hands_over)
    }

    /// Whether somebody of this role makes themselves a `new`: never more than they are. An
    /// owner first finds another owner.
    pub(super) fn may_become(self, new: Self) -> bool {
        new == self || (new < self && self != Self::Owner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn triples() -> impl Iterator<Item = (Role, Role, Role)> {
        Role::ALL.into_iter().flat_map(|a| {
            Role::ALL
                .into_iter()
                .flat_map(move |b| Role::ALL.map(move |c| (a, b, c)))
        })
    }

    #[test]
    fn names_go_both_ways_and_nothing_else_is_a_role() {
        for role in Role::ALL {
            assert_eq!(Role::parse(role.as_str()), Some(role));
        }
        for bad in ["", "Owner", "god", "member\0"] {
            assert_eq!(Role::parse(bad), None);
        }
    }

    #[test]
    fn nobody_touches_who_stands_as_high_or_higher() {
        for (actor, current, new) in triples() {
            if actor <= current {
                assert!(
                    !actor.may_assign(current, new),
                    "{actor:?} {current:?} {new:?}"
                );
                assert!(!actor.may_kick(current), "{actor:?} {current:?}");
            }
        }
    }

    #[test]
    fn nobody_raises_anybody_to_their_own_height_but_an_owner_who_hands_over() {
        for (actor, current, new) in triples() {
            if actor.may_assign(current, new) && new >= actor {
                assert_eq!((actor, new), (Role::Owner, Role::Owner));
            }
        }
        assert!(Role::Owner.may_assign(Role::Member, Role::Owner));
    }

    #[test]
    fn nobody_raises_themselves_and_a_group_keeps_its_owner() {
        for (now, new, _) in triples() {
            if now.may_become(new) {
                assert!(new <= now);
                assert!(now != Role::Owner || new == Role::Owner);
            }
        }
        assert!(Role::Admin.may_become(Role::Member));
    }

    #[test]
    fn what_each_role_may_do() {
        let may = |what: fn(Role) -> bool| Role::ALL.map(what);
        assert_eq!(may(Role::may_update), [false, false, true, true]);
        assert_eq!(may(Role::may_invite), [false, true, true, true]);
        let kicks_member = |role: Role| role.may_kick(Role::Member);
        assert_eq!(Role::ALL.map(kicks_member), [false, true, true, true]);
        let promotes = |role: Role| role.may_assign(Role::Member, Role::Moderator);
        assert_eq!(Role::ALL.map(promotes), [false, false, true, true]);
    }
}
