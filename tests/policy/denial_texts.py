"""Texts of AWS's errors, each with the side that it names and the words that its explanation needs."""

from __future__ import annotations

from typing import NamedTuple

from awsudo_py.policy.denials import Call
from tests import messages

ALICE = "arn:aws:iam::111122223333:user/alice"
SESSION = "arn:aws:sts::111122223333:assumed-role/ci/session-1"
SSO = "arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Admin_0123456789abcdef/ann"
ROLE = "arn:aws:iam::444455556666:role/deploy"
SCP = "arn:aws:organizations::777788889999:policy/o-qv5af4abcd/service_control_policy/p-2kgnabcd"
POLICY = "arn:aws:iam::111122223333:policy/no-sts"
DEFAULT = Call(
    role_arn=ROLE,
    region="eu-west-1",
    endpoint="STS in eu-west-1",
    where="~/.aws/credentials",
    renew="sign in: awsudo login corp",
)


class Row(NamedTuple):
    """One text, and its explanation."""

    id: str
    code: str
    text: str
    side: str
    explicit: bool | None
    words: list[str]
    call: Call = DEFAULT


def _denied(
    reason: str = "", caller: str = ALICE, action: str = "sts:AssumeRole", on: str = f" on resource: {ROLE}"
) -> str:
    return f"User: {caller} is not authorized to perform: {action}{on}{f' {reason}' if reason else ''}"


def _no(kind: str, action: str = "sts:AssumeRole") -> str:
    return f"because no {kind} allows the {action} action"


_DETAILS = (
    ". Go to https://us-east-1.console.aws.amazon.com/iam/home?region=us-east-1#/authorization-details/5arhuwacg4o48yxy "
    "for complete details, or call the GetRequestAuthorizationDetails API with the following authorization id: "
    "5arhuwacg4o48yxy"
)
_DENY = "with an explicit deny in "
TAG, IDENTITY, WEB = "sts:TagSession", "sts:SetSourceIdentity", "sts:AssumeRoleWithWebIdentity"
CODE = "AccessDenied"

# fmt: off
#: Texts that people got, or that the AWS documentation gives.
GATHERED = [
    Row("I02", "AccessDenied", "User: arn:aws:sts::111122223333:assumed-role/cost-collector-role/cost-collector is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::444455556666:role/deploy because no identity-based policy allows the sts:AssumeRole action", "identity", False, ["no policy of the role cost-collector-role allows sts:AssumeRole", "attach a policy to arn:aws:iam::111122223333:role/cost-collector-role that allows"]),
    Row("I05", "AccessDenied", "User: arn:aws:iam::111122223333:user/alice is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::444455556666:role/deploy with an explicit deny", "unknown", True, ["a policy denies sts:AssumeRole; AWS does not say which", "often the one for calls without MFA", "a Deny in the role's trust policy", "organization"]),
    Row("I08", "AccessDenied", "User: arn:aws:iam::111122223333:user/alice is not authorized to perform: sts:GetSessionToken", "identity", True, ["the call needs no Allow, so a Deny refuses it", "except sts:GetSessionToken", "--mfa-per-role"], DEFAULT._replace(operation="GetSessionToken")),
    Row("I11", "AccessDenied", "User: arn:aws:iam::111122223333:user/alice is not authorized to perform: sts:TagSession on resource: arn:aws:iam::444455556666:role/deploy because no identity-based policy allows the sts:TagSession action", "identity", False, ["session tags need sts:TagSession", "no policy of arn:aws:iam::111122223333:user/alice allows sts:TagSession"]),
    Row("T02", "AccessDenied", "User: arn:aws:sts::111122223333:assumed-role/ViewOnly/botocore-session-1612318233 is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::111122223333:role/ViewOnly", "unknown", None, ["one of these", "the caller is a session of this very role already"]),
    Row("T05", "AccessDenied", "User: arn:aws:sts::111122223333:assumed-role/main-role/alice@example.com is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::444455556666:role/deploy", "unknown", None, ["a certain --session-name"]),
    Row("T08", "AccessDenied", "User: arn:aws:iam::111122223333:user/alice is not authorized to perform: sts:AssumeRole because no role trust policy allows the sts:AssumeRole action", "trust", False, [f"{messages.TRUST_DOES_NOT_ALLOW} sts:AssumeRole to arn:aws:iam::111122223333:user/alice"]),
    Row("T11", "AccessDenied", "User: arn:aws:iam::111122223333:user/alice is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::444455556666:role/deploy because no resource-based policy allows the sts:AssumeRole action", "trust", False, [f"{messages.TRUST_DOES_NOT_ALLOW} sts:AssumeRole"]),
    Row("T14", "AccessDenied", "User: arn:aws:sts::111122223333:assumed-role/ci/session-1 is not authorized to perform: sts:SetSourceIdentity on resource: arn:aws:iam::444455556666:role/deploy", "unknown", None, ["no --source-identity was given: the caller's session has one", "must both allow sts:SetSourceIdentity"]),
    Row("T17", "AccessDenied", "User: arn:aws:sts::111122223333:assumed-role/site-dev-role/GitHubActions is not authorized to perform: sts:AssumeRoleWithWebIdentity on resource: arn:aws:iam::111122223333:role/site-dev-role", "trust", None, [messages.WEB_IDENTITY_NOT_TRUSTED, messages.WEB_IDENTITY_CONDITIONS, "iss https://token.example", "sub repo:corp/site"], DEFAULT._replace(operation="AssumeRoleWithWebIdentity", token_file="/var/run/token", claims=(("iss", "https://token.example"), ("aud", "x"), ("sub", "repo:corp/site")))),
    Row("T20", "AccessDenied", "User: arn:aws:sts::111122223333:assumed-role/guacamole/i-0123456789abcdef0 is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::444455556666:role/deploy", "unknown", None, ["its trust policy does not name", "arn:aws:iam::111122223333:role/guacamole"]),
    Row("B02", "AccessDenied", "User: arn:aws:iam::111122223333:user/alice is not authorized to perform: sts:AssumeRole with an explicit deny in a permissions boundary", "boundary", True, ["the permissions boundary of arn:aws:iam::111122223333:user/alice denies", "find the Deny", messages.DENY_WINS]),
    Row("S02", "AccessDenied", "User: arn:aws:sts::111122223333:assumed-role/ci/session-1 is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::444455556666:role/deploy with an explicit deny in a sessions policy", "session", True, ["the session policy of arn:aws:sts::111122223333:assumed-role/ci/session-1 denies sts:AssumeRole"]),
    Row("S05", "PackedPolicyTooLarge", "Packed policy consumes 118% of allotted space, please use smaller policy.", "session", None, [messages.PACKED_TOO_LARGE, messages.FEWER_TAGS]),
    Row("S08", "InvalidParameterValue", "Duplicate tag keys found. Please note that Tag keys are case insensitive.", "session", None, ["two --tag keys differ in upper and lower case only"]),
    Row("O02", "AccessDenied", "User: arn:aws:iam::111122223333:user/alice is not authorized to perform: sts:AssumeRole with an explicit deny in a service control policy", "scp", True, ["a service control policy of the caller's organization denies", "AWS names only one reason"]),
    Row("O05", "AccessDenied", "arn:aws:iam::111122223333:role/test-pipeline-PipelineRole is not authorized to perform AssumeRole on role arn:aws:iam::111122223333:role/test-pipeline-SourceActionRole", "unknown", None, ["a policy of the organization (SCP or RCP)"]),
    Row("P02", "AccessDenied", "User: arn:aws:iam::111122223333:user/alice is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::444455556666:role/deploy with an explicit deny in a resource control policy: arn:aws:organizations::777788889999:policy/o-qv5af4abcd/resource_control_policy/p-3lhobcde", "rcp", True, ["of the role's organization denies", "policy/o-qv5af4abcd/resource_control_policy/p-3lhobcde"]),
    Row("V02", "AccessDenied", "User: arn:aws:iam::111122223333:user/alice is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::444455556666:role/deploy with an explicit deny in a VPC endpoint policy", "vpce", True, ["the policy of the STS VPC endpoint denies", "find the Deny"]),
    Row("V05", "AccessDenied", "User: arn:aws:sts::111122223333:assumed-role/etl-job/etl-2025-11-30 is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::444455556666:role/deploy", "unknown", None, ["source IP, VPC endpoint", "the call went to STS in eu-west-1"]),
    Row("M02", "AccessDenied", "MultiFactorAuthentication failed with invalid MFA one time pass code.", "mfa", None, [messages.CODE_REFUSED, messages.NEXT_CODE], DEFAULT._replace(operation="GetSessionToken")),
    Row("M05", "AccessDenied", "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code.", "mfa", None, ["must be sent together, and only one of them was", "--mfa-serial ARN"]),
    Row("M08", "ValidationError", "2 validation errors detected: Value '138502\\' at 'tokenCode' failed to satisfy constraint: Member must have length less than or equal to 6; Value '138502\\' at 'tokenCode' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\d]*", "mfa", None, ["six digits"]),
    Row("N02", "ValidationError", "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.", "duration", None, ["1h is the most", "-d 1h"]),
    Row("N05", "ValidationError", "1 validation error detected: Value '600' at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to 900", "duration", None, ["15m to 36h"], DEFAULT._replace(operation="GetSessionToken")),
    Row("C02", "SignatureDoesNotMatch", "Signature not yet current: 20210502T183640Z is still later than 20210502T175140Z (20210502T173640Z + 15 min.)", "clock", None, ["60 min ahead", "AWS takes 15 min at most"]),
    Row("K02", "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.", "key", None, ["does not match the access key ID", messages.ENTER_BOTH_AGAIN]),
    Row("K05", "IncompleteSignature", "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY/20180717/us-east-1/sts/aws4_request'", "key", None, ["are swapped"]),
    Row("X02", "ExpiredTokenException", "Token expired: current date/time 1731098245 must be before the expiration date/time 1731095240", "token", None, [messages.WEB_IDENTITY_EXPIRED, "/var/run/token"], DEFAULT._replace(operation="AssumeRoleWithWebIdentity", token_file="/var/run/token", claims=(("iss", "https://token.example"), ("aud", "x"), ("sub", "repo:corp/site")))),
    Row("X05", "ExpiredTokenException", "Token must be redeemed within 5 minutes of issuance", "token", None, ["the SAML assertion is more than 5 min old"], DEFAULT._replace(operation="AssumeRoleWithSAML")),
    Row("X08", "InvalidGrantException", "Invalid refresh token provided", "token", None, ["the SSO session has ended", "sign in: awsudo login corp"], DEFAULT._replace(operation="CreateToken")),
    Row("X11", "AccessDenied", "Cannot call GetSessionToken with session credentials", "token", None, ["a session's already", "--mfa-per-role"], DEFAULT._replace(operation="GetSessionToken")),
    Row("X14", "InvalidIdentityToken", "Missing a required claim: aud", "token", None, ["no audience (aud)", "sts.amazonaws.com"], DEFAULT._replace(operation="AssumeRoleWithWebIdentity")),
    Row("Q02", "InvalidIdentityToken", "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements", "provider", None, ["could not fetch the identity provider's keys", "try again", "jwks_uri"], DEFAULT._replace(operation="AssumeRoleWithWebIdentity")),
    Row("Q05", "IDPCommunicationError", "The request could not be fulfilled because the identity provider (IDP) that was asked to verify the incoming identity token could not be reached.", "provider", None, ["could not reach the identity provider", "try again"], DEFAULT._replace(operation="AssumeRoleWithWebIdentity")),
    Row("Q08", "InvalidIdentityToken", "RoleSessionName in AuthnResponse must match [a-zA-Z_0-9+=,.@-]{2,64} (Service: AWSSecurityTokenService; Status Code: 400; Error Code: InvalidIdentityToken; Request ID: 00000000-0000-0000-0000-000000000000)", "token", None, ["RoleSessionName"], DEFAULT._replace(operation="AssumeRoleWithSAML")),
    Row("G02", "InvalidClientTokenId", "The security token included in the request is invalid", "region", None, ["does not know the access key", "another partition than aws-us-gov"], DEFAULT._replace(role_arn="arn:aws-us-gov:iam::444455556666:role/deploy")),
    Row("G08", "InvalidClientTokenId", "The security token included in the request is invalid.", "region", None, ["is not valid in ap-east-1", "AWS_STS_REGIONAL_ENDPOINTS=regional"], DEFAULT._replace(temporary=True, region="ap-east-1")),
    Row("Z02", "AccessDenied", "User: arn:aws:iam::111122223333:user/alice is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::111122223333:user/alice", "unknown", None, ["arn:aws:iam::111122223333:user/alice is not the ARN of a role"]),
    Row("Z05", "AccessDenied", "User: arn:aws:sts::111122223333:assumed-role/github-action/monorepoCISession is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::${AWS::AccountId}:role/cdk-hnb659fds-lookup-role-${AWS::AccountId}-${AWS::Region}", "unknown", None, ["is not the ARN of a role"]),
    Row("Z08", "TooManyRequestsException", "HTTP 429 Unknown Code", "limit", None, ["throttling calls"], DEFAULT._replace(operation="ListAccountRoles")),
    Row("Z11", "ValidationError", "1 validation error detected: Value 'arn_aws_iam__111122223333_role.kube-fluentd-operator-role-session' at 'roleSessionName' failed to satisfy constraint: Member must have length less than or equal to 64", "unknown", None, ["2 to 64", "--session-name"]),
    Row("Z14", "ValidationError", "1 validation error detected: Value '%20' at 'externalId' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@:\\/-]*", "unknown", None, ["external ID", "=,.@:/-_+"]),
]

#: AccessDenied texts in all the forms that AWS documents and people report.
FORMS = [
    Row("identity: none allows", CODE, _denied(_no("identity-based policy")), "identity", False, [f"no policy of {ALICE} allows sts:AssumeRole", f"that allows sts:AssumeRole on {ROLE}"]),
    Row("identity: denied", CODE, _denied(f"{_DENY}an identity-based policy"), "identity", True, [f"a policy of {ALICE} denies", f"find the Deny among the policies of {ALICE}", "calls without MFA"]),
    Row("identity: denied, with the policy", CODE, _denied(f"{_DENY}an identity-based policy: {POLICY}"), "identity", True, [f"find the Deny in {POLICY}"]),
    Row("identity: denied, with policy and details", CODE, _denied(f"{_DENY}an identity-based policy: {POLICY}{_DETAILS}"), "identity", True, [f"find the Deny in {POLICY}"]),
    Row("identity: a permission set", CODE, _denied(_no("identity-based policy"), SSO), "identity", False, ["no policy of the permission set Admin allows", "attach a policy to the permission set Admin"]),
    Row("identity: a session", CODE, _denied(f"{_DENY}an identity-based policy", SESSION), "identity", True, ["a policy of the role ci denies", "of arn:aws:iam::111122223333:role/ci"]),
    Row("identity: without a resource", CODE, _denied(_no("identity-based policy"), on=""), "identity", False, [f"on {ROLE}"]),
    Row("identity: a stray role ARN", CODE, _denied(_no("identity-based policy"), on=" on resource: *"), "identity", False, ["on *"]),
    Row("identity: JSON services' code", "AccessDeniedException", _denied(_no("identity-based policy")), "identity", False, [f"no policy of {ALICE}"]),
    Row("identity: an MFA session", CODE, _denied(f"{_DENY}an identity-based policy"), "identity", True, ["for a new one, awsudo clear base", "--mfa-per-role"], DEFAULT._replace(mfa_session="awsudo clear base")),
    Row("identity: GovCloud", CODE, _denied(_no("identity-based policy"), "arn:aws-us-gov:iam::111122223333:user/alice"), "identity", False, ["arn:aws-us-gov:iam::111122223333:user/alice"]),
    Row("trust: none allows", CODE, _denied(_no("role trust policy")), "trust", False, [f"does not allow sts:AssumeRole to {ALICE}"]),
    Row("trust: denied", CODE, _denied(f"{_DENY}the role trust policy"), "trust", True, [f"{messages.TRUST_DENIES} sts:AssumeRole to {ALICE}", "find the Deny"]),
    Row("trust: denied, without a resource", CODE, _denied(f"{_DENY}the role trust policy", on=""), "trust", True, [messages.TRUST_DENIES]),
    Row("trust: as a resource-based policy", CODE, _denied(f"{_DENY}a resource-based policy"), "trust", True, [messages.TRUST_DENIES]),
    Row("trust: of a session, its role to be named", CODE, _denied(_no("role trust policy"), SESSION), "trust", False, ["to arn:aws:iam::111122223333:role/ci"]),
    Row("trust: lacks sts:SetSourceIdentity", CODE, _denied(_no("role trust policy", IDENTITY), SESSION, IDENTITY), "trust", False, [f"a source identity needs {IDENTITY}", f"trust policy does not allow {IDENTITY}", "no --source-identity was given"]),
    Row("trust: lacks sts:TagSession", CODE, _denied(_no("role trust policy", TAG), SESSION, TAG), "trust", False, [f"session tags need {TAG}", messages.TRANSITIVE_TAGS]),
    Row("trust: lacks sts:TagSession for our tags", CODE, _denied(_no("role trust policy", TAG), ALICE, TAG), "trust", False, [f"must allow {TAG} to {ALICE}"], DEFAULT._replace(tags=True)),
    Row("trust: lacks sts:SetContext", CODE, _denied(_no("role trust policy", "sts:SetContext"), SESSION, "sts:SetContext"), "trust", False, ["a provided context needs sts:SetContext"]),
    Row("trust: of a web identity", CODE, f"Not authorized to perform {WEB}", "trust", None, [messages.WEB_IDENTITY_NOT_TRUSTED, "iss https://token.example"], DEFAULT._replace(operation="AssumeRoleWithWebIdentity", claims=(("iss", "https://token.example"),))),
    Row("trust: of a web identity, whatever the text", CODE, "Access denied", "trust", None, ["does not trust this web identity token"], DEFAULT._replace(operation="AssumeRoleWithWebIdentity")),
    Row("boundary: none allows", CODE, _denied(_no("permissions boundary")), "boundary", False, [f"the permissions boundary of {ALICE} does not allow", "must allow sts:AssumeRole too"]),
    Row("boundary: of a session's role", CODE, _denied(_no("permissions boundary"), SESSION), "boundary", False, ["the permissions boundary of the role ci"]),
    Row("boundary: denied, with the policy", CODE, _denied(f"{_DENY}a permissions boundary: {POLICY}"), "boundary", True, [f"find the Deny in its permissions boundary: {POLICY}"]),
    Row("session: none allows", CODE, _denied(_no("session policy"), SESSION), "session", False, [f"the session policy of {SESSION} does not allow", "was narrowed by a policy"]),
    Row("session: denied", CODE, _denied(f"{_DENY}a session policy", SESSION), "session", True, [f"the session policy of {SESSION} denies"]),
    Row("session: denied, with the policy", CODE, _denied(f"{_DENY}a session policy: {POLICY}", SESSION), "session", True, [f"the policy is {POLICY}"]),
    Row("scp: none allows", CODE, _denied(_no("service control policy")), "scp", False, ["no service control policy of the caller's organization allows", "organization's administrator"]),
    Row("scp: denied, with the policy", CODE, _denied(f"{_DENY}a service control policy: {SCP}"), "scp", True, [f"about the Deny: {SCP}"]),
    Row("scp: denied, with a full stop", CODE, _denied(f"{_DENY}a service control policy: {SCP}."), "scp", True, [f"about the Deny: {SCP}"]),
    Row("scp: denied, with policy and details", CODE, _denied(f"{_DENY}a service control policy: {SCP}{_DETAILS}"), "scp", True, [f"about the Deny: {SCP}"]),
    Row("scp: denies sts:TagSession", CODE, _denied(f"{_DENY}a service control policy", ALICE, TAG), "scp", True, [f"session tags need {TAG}", "denies"]),
    Row("rcp: none allows", CODE, _denied(_no("resource control policy")), "rcp", False, ["no resource control policy of the role's organization allows"]),
    Row("rcp: denied", CODE, _denied(f"{_DENY}a resource control policy"), "rcp", True, ["a resource control policy of the role's organization denies"]),
    Row("vpce: none allows", CODE, _denied(_no("VPC endpoint policy")), "vpce", False, ["the policy of the STS VPC endpoint does not allow", "must allow sts:AssumeRole"]),
    Row("a kind of tomorrow, none allows", CODE, _denied(_no("mesh policy")), "unknown", False, ["a policy does not allow it; AWS calls it 'mesh policy'"]),
    Row("a kind of tomorrow, denied", CODE, _denied(f"{_DENY}a mesh policy"), "unknown", True, ["a policy denies it; AWS calls it 'mesh policy'"]),
    Row("a Deny without a kind, an MFA session", CODE, _denied("with an explicit deny"), "unknown", True, ["AWS does not say which", "awsudo clear base"], DEFAULT._replace(mfa_session="awsudo clear base")),
    Row("a Deny without a kind, of sts:TagSession", CODE, _denied("with an explicit deny", SESSION, TAG), "unknown", True, [f"a policy denies {TAG}", messages.TRANSITIVE_TAGS]),
    Row("nothing said", CODE, _denied(), "unknown", None, [messages.NO_REASON, "there is no such role", "its account is open", f"does not name {ALICE}", "an --external-id", "requires MFA", f"no policy of {ALICE} allows"]),
    Row("nothing said, all sent", CODE, _denied(), "unknown", None, ["another external ID", "another MFA device", "another --session-name"], DEFAULT._replace(external_id=True, mfa_serial="x", session_name=True)),
    Row("nothing said, with details", CODE, _denied() + _DETAILS, "unknown", None, [messages.NO_REASON]),
    Row("nothing said, by Identity Center", CODE, _denied(caller=SSO), "unknown", None, [f"does not name {SSO}", "no policy of the permission set Admin"]),
    Row("nothing said, by a federated user", CODE, _denied(caller="arn:aws:sts::111122223333:federated-user/bob"), "identity", None, ["a session of GetFederationToken cannot assume a role"]),
    Row("nothing said, of sts:TagSession", CODE, _denied(caller=ALICE, action=TAG, on=" on resource: ***"), "unknown", None, [f"must both allow {TAG}"], DEFAULT._replace(tags=True)),
    Row("nothing said, by an instance", CODE, _denied(caller="arn:aws:sts::111122223333:assumed-role/worker/i-0123456789abcdef0"), "unknown", None, ["arn:aws:iam::111122223333:role/worker"]),
    Row("the words of long ago", CODE, "Not authorized to perform sts:AssumeRole", "unknown", None, [messages.NO_REASON, "the caller"]),
    Row("a sentence of nobody", CODE, "User: anonymous is not authorized to perform: sts:AssumeRole", "unknown", None, [messages.NO_REASON]),
    Row("no text", CODE, "", "unknown", None, [messages.NO_REASON]),
    Row("the root user", CODE, "Roles may not be assumed by root accounts.", "identity", None, ["root user's keys"]),
    Row("another device", CODE, "MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA serial number is valid and associated with this user.", "mfa", None, ["phone is not an MFA device of the user"], DEFAULT._replace(mfa_serial="phone")),
    Row("GetSessionToken denied, with the policy", CODE, _denied(f"{_DENY}an identity-based policy: {POLICY}", action="sts:GetSessionToken", on=""), "identity", True, ["the call needs no Allow", POLICY], DEFAULT._replace(operation="GetSessionToken")),
    Row("GetSessionToken denied by the organization", CODE, _denied(f"{_DENY}a service control policy", action="sts:GetSessionToken", on=""), "scp", True, ["denies sts:GetSessionToken"], DEFAULT._replace(operation="GetSessionToken")),
    Row("GetFederationToken of a session", CODE, "Cannot call GetFederationToken with session credentials", "token", None, ["a session's already"]),
]

#: Other errors, beside those gathered.
OTHERS = [
    Row("region of the signature", "SignatureDoesNotMatch", "Credential should be scoped to a valid region. ", "region", None, ["signed for eu-west-1", "sts_regional_endpoints = regional"]),
    Row("region of the signature, older", "SignatureDoesNotMatch", "Credential should be scoped to a valid region, not 'eu-west-1'. ", "region", None, ["the endpoint is in another"]),
    Row("service of the signature", "SignatureDoesNotMatch", "Credential should be scoped to correct service: 'sts'. ", "region", None, ["the endpoint is in another"]),
    Row("a clock behind, 5 min", "SignatureDoesNotMatch", "Signature expired: 20260102T030405Z is now earlier than 20260102T031005Z (20260102T031505Z - 5 min.)", "clock", None, ["11 min behind", "takes 5 min at most"]),
    Row("a clock by the Date header", "RequestExpired", "Request has expired.", "clock", None, ["10 min behind"], DEFAULT._replace(ahead=-600.0)),
    Row("no provider", "InvalidIdentityToken", "No OpenIDConnect provider found in your account for https://oidc.eks.eu-west-1.amazonaws.com/id/ABC", "provider", None, ["no OIDC provider", "create-open-id-connect-provider"]),
    Row("the audience", "InvalidIdentityToken", "Incorrect token audience", "token", None, ["does not list the token's audience", "aud x"], DEFAULT._replace(claims=(("aud", "x"),))),
    Row("not an ID token", "InvalidIdentityToken", "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)", "token", None, ["an access token is not accepted"]),
    Row("thumbprint", "InvalidIdentityToken", "OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint", "provider", None, ["does not match the thumbprint"]),
    Row("an unknown text of a token", "InvalidIdentityToken", "?", "token", None, ["does not accept the web identity token", "aud x"], DEFAULT._replace(claims=(("aud", "x"),))),
    Row("a key that is not known", "InvalidClientTokenId", "The security token included in the request is invalid.", "key", None, ["does not know the access key", "~/.aws/credentials", "its account closed"]),
    Row("an MFA session that is not known", "InvalidClientTokenId", "The security token included in the request is invalid.", "key", None, ["for a new one, awsudo clear base"], DEFAULT._replace(mfa_session="awsudo clear base")),
    Row("an expired session", "ExpiredToken", "The security token included in the request is expired", "token", None, ["have expired", "awsudo login corp"]),
    Row("the role's maximum", "ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.", "duration", None, ["the role's maximum is lower", "update-role --role-name deploy --max-session-duration 7200"], DEFAULT._replace(duration=7200)),
]
# fmt: on
