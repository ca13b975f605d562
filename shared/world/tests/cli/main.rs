//! Outside judges of the world: the AWS CLI and boto3, from PyPI, as users have them.
//!
//! `make setup` installs them. Where they are missing, a test says so and is skipped, unless `CI` or `BALLAST_REQUIRE_JUDGES=1`
//! asks for them; then it fails.

#[cfg(test)]
mod aws_cli;
#[cfg(test)]
mod boto3;
#[cfg(test)]
mod drain;
#[cfg(test)]
mod groups;
#[cfg(test)]
mod judge;
#[cfg(test)]
mod workshop_ec2;
