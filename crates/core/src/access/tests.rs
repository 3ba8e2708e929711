use super::*;

fn group(random: u8) -> AgentGroupId {
    AgentGroupId::mint(Timestamp::UNIX_EPOCH, [random; 10])
}

fn user(random: u8) -> UserId {
    UserId::mint(Timestamp::UNIX_EPOCH, [random; 10])
}

fn holder(who: u8, role: Role, since: i64, channel: &str) -> RoleHolder {
    RoleHolder {
        user: user(who),
        channel: ChannelName::parse(channel).unwrap(),
        role,
        granted_at: Timestamp::from_millisecond(since).unwrap(),
    }
}

#[test]
fn a_standing_reaches_as_far_as_its_roles() {
    let nobody = Standing::default();
    let member = Standing {
        member_of: vec![group(1)],
        ..Standing::default()
    };
    let with = |role| Standing {
        roles: vec![role],
        ..Standing::default()
    };
    let cases = [
        // standing, known to 1, known to 2, administers 1, administers 2, administers all, owns
        (nobody, false, false, false, false, false, false),
        (member, true, false, false, false, false, false),
        (
            with(Role::GroupAdmin(group(1))),
            true,
            false,
            true,
            false,
            false,
            false,
        ),
        (with(Role::Admin), true, true, true, true, true, false),
        (with(Role::Owner), true, true, true, true, true, true),
    ];
    for (standing, known_1, known_2, admin_1, admin_2, all, owns) in cases {
        assert_eq!(standing.is_known_to(group(1)), known_1, "{standing:?}");
        assert_eq!(standing.is_known_to(group(2)), known_2, "{standing:?}");
        assert_eq!(standing.administers(group(1)), admin_1, "{standing:?}");
        assert_eq!(standing.administers(group(2)), admin_2, "{standing:?}");
        assert_eq!(standing.administers_all(), all, "{standing:?}");
        assert_eq!(standing.owns(), owns, "{standing:?}");
    }
}

#[test]
fn an_owner_is_never_bound_to_a_group() {
    assert_eq!(Role::of_columns("owner", Some(group(1))), None);
    for role in [Role::Owner, Role::Admin, Role::GroupAdmin(group(1))] {
        let (name, bound) = role.columns();
        assert_eq!(Role::of_columns(name, bound), Some(role));
    }
}

#[test]
fn group_admins_are_asked_first_then_global_ones_then_owners_each_once() {
    let holders = [
        holder(1, Role::Owner, 1, "a"),
        holder(2, Role::Admin, 2, "a"),
        holder(3, Role::GroupAdmin(group(1)), 3, "a"),
        holder(1, Role::Admin, 4, "a"),
        holder(4, Role::GroupAdmin(group(2)), 5, "a"),
    ];
    let asked = approvers(&holders, &[group(1)], None);
    assert_eq!(asked, [user(3), user(1), user(2)]);
    let global = approvers(&holders, &[], None);
    assert_eq!(global, [user(1), user(2)]);
    assert!(approvers(&[], &[group(1)], None).is_empty());
}

#[test]
fn who_administers_one_of_two_groups_is_not_asked_about_both() {
    let holders = [
        holder(3, Role::GroupAdmin(group(1)), 1, "a"),
        holder(4, Role::GroupAdmin(group(1)), 2, "a"),
        holder(4, Role::GroupAdmin(group(2)), 3, "a"),
    ];
    let both = [group(1), group(2)];
    assert_eq!(approvers(&holders, &both, None), [user(4)]);
}

#[test]
fn of_equals_the_one_on_the_same_channel_comes_first() {
    let holders = [
        holder(1, Role::Owner, 1, "far"),
        holder(2, Role::Owner, 2, "near"),
        holder(3, Role::Owner, 3, "near"),
    ];
    let near = ChannelName::parse("near").unwrap();
    let asked = approvers(&holders, &[], Some(&near));
    assert_eq!(asked, [user(2), user(3), user(1)]);
}
