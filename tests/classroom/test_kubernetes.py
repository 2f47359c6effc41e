"""The values for Kubernetes: accepted by the chart, and in line with the rest of the course.

The chart's own schema is not shipped here. RULES says in JSON Schema what the schema of version 4
(`jupyterhub/values.schema.yaml` in the chart's repository) allows for the keys that are used: it is
closed in the same places, so a misspelt or misplaced key fails here as it fails in `helm`.
"""

import re
from pathlib import Path
from types import SimpleNamespace

import jsonschema
import pytest
import yaml

from convnet_grader.exchange import number_by_name
from course_utils.startup import SPIN_COUNT

ROOT = Path(__file__).resolve().parents[2]
PLACE = ROOT / "classroom" / "kubernetes"


def closed(**properties):
    """An object with these keys and no others."""
    return {"type": "object", "additionalProperties": False, "properties": properties}


OPEN = {"type": "object"}
WHOLE, YES_NO, TEXT = ({"type": name} for name in ("integer", "boolean", "string"))
NUMBER = {"type": "number"}
AMOUNT = {"type": ["number", "string"]}
LIST = {"type": "array"}
ENABLED = closed(enabled=YES_NO) | {"required": ["enabled"]}
AFFINITY = closed(
    tolerations=LIST,
    nodeAffinity=closed(matchNodePurpose={"enum": ["ignore", "prefer", "require"]}),
)
EGRESS = (
    "cloudMetadataServer", "dnsPortsCloudMetadataServer", "dnsPortsKubeSystemNamespace",
    "dnsPortsPrivateIPs", "nonPrivateIPs", "privateIPs",
)  # fmt: skip
RULES = closed(
    hub=closed(
        activeServerLimit=WHOLE,
        allowNamedServers=YES_NO,
        concurrentSpawnLimit=WHOLE,
        config=OPEN,
        db=closed(
            type={"enum": ["sqlite-pvc", "sqlite-memory", "mysql", "postgres", "other"]},
            pvc=closed(storage=TEXT) | {"required": ["storage"]},
        ),
        extraConfig=OPEN,
        loadRoles=OPEN,
        redirectToServer=YES_NO,
        resources=OPEN,
    ),
    singleuser=closed(
        allowPrivilegeEscalation=YES_NO,
        cmd={"type": ["array", "string"]},
        cpu=closed(limit=NUMBER, guarantee=NUMBER),
        defaultUrl=TEXT,
        image=closed(name=TEXT, tag=TEXT) | {"required": ["name", "tag"]},
        memory=closed(limit=AMOUNT, guarantee=AMOUNT),
        networkPolicy=closed(
            enabled=YES_NO, egressAllowRules=closed(**dict.fromkeys(EGRESS, YES_NO))
        ),
        startTimeout=WHOLE,
        storage=closed(
            type={"enum": ["dynamic", "static", "none"]},
            capacity=TEXT,
            homeMountPath=TEXT,
            extraVolumes=LIST,
            extraVolumeMounts=LIST,
        ),
    ),
    cull=closed(
        enabled=YES_NO,
        users=YES_NO,
        timeout=WHOLE,
        every=WHOLE,
        maxAge=WHOLE,
        concurrency=WHOLE,
        adminUsers=YES_NO,
        removeNamedServers=YES_NO,
    )
    | {"required": ["enabled"]},
    scheduling=closed(
        userScheduler=closed(enabled=YES_NO, replicas=WHOLE),
        podPriority=closed(enabled=YES_NO),
        userPlaceholder=closed(enabled=YES_NO, replicas=WHOLE),
        userPods=AFFINITY,
        corePods=AFFINITY,
    ),
    prePuller=closed(hook=ENABLED, continuous=ENABLED),
    proxy=closed(
        https=closed(
            enabled=YES_NO,
            type={"enum": ["letsencrypt", "manual", "offload", "secret"]},
            hosts=LIST,
            letsencrypt=closed(contactEmail=TEXT),
        )
    ),
)
UNITS = {"M": 1e6, "G": 1e9, "Mi": 2**20, "Gi": 2**30}


@pytest.fixture
def values():
    return yaml.safe_load((PLACE / "values.yaml").read_text("utf-8"))


def as_bytes(amount):
    number, unit = re.fullmatch(r"([\d.]+)(\w+)", amount).groups()
    return float(number) * UNITS[unit]


def test_the_chart_takes_the_values(values):
    jsonschema.Draft7Validator.check_schema(RULES)
    jsonschema.validate(values, RULES, jsonschema.Draft7Validator)


@pytest.mark.parametrize(
    "change",
    [
        lambda v: v["singleuser"]["memory"].update(request="1G"),
        lambda v: v["cull"].update(timeout="1 hour"),
        lambda v: v.update(culling={"enabled": True}),
        lambda v: v["singleuser"]["storage"].update(type="nfs"),
        lambda v: v["scheduling"].update(userPlaceholders=40),
        lambda v: v["singleuser"].update(image={"name": "without a tag"}),
    ],
)
def test_a_slip_is_noticed(values, change):
    change(values)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(values, RULES, jsonschema.Draft7Validator)


def hub_config(values):
    """Run the hub's part of the values, as the chart does; return what it sets."""
    c = SimpleNamespace(KubeSpawner=SimpleNamespace())
    for _, code in sorted(values["hub"]["extraConfig"].items()):
        exec(code, {"c": c})
    return c.KubeSpawner


def spawner(name):
    return SimpleNamespace(user=SimpleNamespace(name=name))


def test_everybody_has_a_number_that_collecting_knows(values):
    config = hub_config(values)
    for name in ("kim", "lee", "TEACHER"):
        assert config.uid(spawner(name)) == number_by_name(name)
    assert values["singleuser"]["allowPrivilegeEscalation"] is False


def test_servers_find_the_settings_of_their_role(values):
    environment = hub_config(values).environment
    paths = environment["JUPYTER_CONFIG_PATH"](spawner("TEACHER")).split(":")
    paths += environment["JUPYTER_CONFIG_PATH"](spawner("kim")).split(":")
    inside = [ROOT / Path(path).relative_to("/srv/convnet-course") for path in paths]
    assert [path.name for path in inside] == ["teacher", "everyone", "learner", "everyone"]
    assert all(path.is_dir() for path in inside)
    assert environment["COURSE_STUDENT"](spawner("kim")) == "kim"
    mounts = values["singleuser"]["storage"]["extraVolumeMounts"]
    assert environment["COURSE_HUB_EXCHANGE"] in [mount["mountPath"] for mount in mounts]
    assert environment["GOMP_SPINCOUNT"] == str(SPIN_COUNT)
    start = Path(values["singleuser"]["cmd"][1]).relative_to("/srv/convnet-course")
    assert (ROOT / start).is_file()


def test_the_sizes_fit_together(values):
    memory, hub = values["singleuser"]["memory"], values["hub"]
    assert as_bytes(memory["guarantee"]) <= as_bytes(memory["limit"])
    assert hub["activeServerLimit"] >= 300
    assert hub["concurrentSpawnLimit"] < hub["activeServerLimit"]
    assert values["scheduling"]["podPriority"]["enabled"], "placeholders would never give way"
    assert values["prePuller"]["continuous"]["enabled"], "new nodes would pull a large image first"


def test_the_image_holds_no_answers():
    lines = (PLACE / "Dockerfile").read_text("utf-8").splitlines()
    copied = {word for line in lines if line.startswith("COPY") for word in line.split()[1:-1]}
    assert copied == {
        "pyproject.toml", "requirements.lock", "README.md", "LICENSE", "course_utils",
        "classroom/grader", "tools/install_torch.py", "notebooks", "classroom",
    }  # fmt: skip
    assert all((ROOT / name).exists() for name in copied)
