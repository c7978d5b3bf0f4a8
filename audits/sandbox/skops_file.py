"""Reading a skops file by a list of types that was fixed in advance. Runs inside the sandbox.

The list is narrower than the library's own: it holds what the explainers know. What a file says about its unknown
types is never fed back as trusted.
"""

import io
import json
import warnings
import zipfile
from typing import Any

import skops.io
from skops.io.exceptions import UntrustedTypesFoundException

from governance.errors import MeasurementRefused

MAGIC = b"PK\x03\x04"
"""A skops file is a zip archive, whatever its name says."""

MAX_MEMBERS = 50_000
MAX_UNPACKED_BYTES = 2**30
MAX_SCHEMA_BYTES = 64 * 2**20

_SKLEARN = {
    "compose._column_transformer": ("ColumnTransformer", "_RemainderColsList"),
    "dummy": ("DummyClassifier", "DummyRegressor"),
    "ensemble._forest": (
        "ExtraTreesClassifier",
        "ExtraTreesRegressor",
        "RandomForestClassifier",
        "RandomForestRegressor",
    ),
    "ensemble._gb": ("GradientBoostingClassifier", "GradientBoostingRegressor"),
    "ensemble._hist_gradient_boosting.binning": ("_BinMapper",),
    "ensemble._hist_gradient_boosting.gradient_boosting": (
        "HistGradientBoostingClassifier",
        "HistGradientBoostingRegressor",
    ),
    "ensemble._hist_gradient_boosting.predictor": ("TreePredictor",),
    "impute._base": ("MissingIndicator", "SimpleImputer"),
    "linear_model._base": ("LinearRegression",),
    "linear_model._bayes": ("BayesianRidge",),
    "linear_model._coordinate_descent": ("ElasticNet", "ElasticNetCV", "Lasso", "LassoCV"),
    "linear_model._huber": ("HuberRegressor",),
    "linear_model._logistic": ("LogisticRegression", "LogisticRegressionCV"),
    "linear_model._ridge": ("Ridge", "RidgeCV", "RidgeClassifier", "RidgeClassifierCV"),
    "linear_model._stochastic_gradient": ("SGDClassifier", "SGDRegressor"),
    "pipeline": ("FeatureUnion", "Pipeline"),
    "preprocessing._data": (
        "MaxAbsScaler",
        "MinMaxScaler",
        "PowerTransformer",
        "QuantileTransformer",
        "RobustScaler",
        "StandardScaler",
    ),
    "preprocessing._encoders": ("OneHotEncoder", "OrdinalEncoder"),
    # A fitted "passthrough" is one without a function; one with a function needs a loader that is not listed below.
    "preprocessing._function_transformer": ("FunctionTransformer",),
    "preprocessing._label": ("LabelBinarizer", "LabelEncoder"),
    "tree._classes": ("DecisionTreeClassifier", "DecisionTreeRegressor", "ExtraTreeClassifier", "ExtraTreeRegressor"),
    "tree._tree": ("Tree",),
    "utils._bunch": ("Bunch",),
    "_loss._loss": (
        "CyAbsoluteError",
        "CyExponentialLoss",
        "CyHalfBinomialLoss",
        "CyHalfMultinomialLoss",
        "CyHalfSquaredError",
        "CyHuberLoss",
        "CyPinballLoss",
    ),
    "_loss.link": ("HalfLogitLink", "IdentityLink", "Interval", "LogitLink", "LogLink", "MultinomialLogit"),
    "_loss.loss": (
        "AbsoluteError",
        "ExponentialLoss",
        "HalfBinomialLoss",
        "HalfMultinomialLoss",
        "HalfSquaredError",
        "HuberLoss",
        "PinballLoss",
    ),
}
_NUMPY_SCALARS = (
    *("bool", "bool_", "float16", "float32", "float64", "str_"),
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
)

TRUSTED = frozenset(
    [f"sklearn.{module}.{name}" for module, names in _SKLEARN.items() for name in names]
    + [f"numpy.{name}" for name in (*_NUMPY_SCALARS, "dtype", "ndarray")]
    + ["numpy.ma.MaskedArray", "numpy.random._generator.Generator", "numpy.random.mtrand.RandomState"]
    + [f"scipy.sparse.{module}.{module[1:]}_{kind}" for module in ("_csr", "_csc") for kind in ("matrix", "array")]
    + [f"builtins.{name}" for name in ("bool", "dict", "float", "int", "list", "set", "slice", "str", "tuple")]
    + ["collections.OrderedDict", "collections.defaultdict"]
)
"""Every type that a model file may name: linear models, tree ensembles, pipelines, encoders, scalers, imputers."""

LOADERS = frozenset(
    (
        *("CachedNode", "DTypeNode", "DefaultDictNode", "DictNode", "JsonNode", "ListNode", "LossNode"),
        *("MaskedArrayNode", "NdArrayNode", "ObjectNode", "RandomGeneratorNode", "RandomStateNode", "SetNode"),
        *("SliceNode", "SparseMatrixNode", "TreeNode", "TupleNode", "TypeNode"),
    )
)
"""The library's ways to build an object that are needed for those; none of them names a function or a method."""


def load_model(content: bytes) -> tuple[Any, tuple[str, ...]]:
    """The model in a skops file, and what the libraries warned of while it was read (another version, mostly).

    Raises:
        MeasurementRefused: not a skops file; too many or too large members; a type or loader outside of the lists,
            which the message names.
    """
    untrusted = _foreign(_schema(content))
    if untrusted:
        raise _not_trusted(untrusted)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            model = skops.io.loads(content, trusted=sorted(TRUSTED))
        except UntrustedTypesFoundException as fault:
            # Both readers must agree; where they do not, the stricter one counts.
            raise _not_trusted({str(fault)}) from fault
    return model, tuple(dict.fromkeys(str(warning.message) for warning in caught))


def _schema(content: bytes) -> Any:
    if not content.startswith(MAGIC):
        raise _not_skops("bytes that are no zip archive")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            unpacked = sum(member.file_size for member in members)
            if len(members) > MAX_MEMBERS or unpacked > MAX_UNPACKED_BYTES:
                raise _not_skops(f"{len(members)} members of {unpacked} bytes unpacked")
            if archive.getinfo("schema.json").file_size > MAX_SCHEMA_BYTES:
                raise _not_skops(f"a schema.json beyond {MAX_SCHEMA_BYTES} bytes")
            return json.loads(archive.read("schema.json"))
    except (zipfile.BadZipFile, KeyError, ValueError, NotImplementedError, EOFError) as fault:
        raise _not_skops(f"{type(fault).__name__}: {fault}") from fault


def _foreign(schema: Any) -> set[str]:
    """Every type and loader in the file that is on neither list; walked without recursion, which a file could bomb."""
    found = set()
    waiting = [schema]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting += node
        if not isinstance(node, dict):
            continue
        waiting += node.values()
        if "__loader__" not in node and "__class__" not in node:
            continue
        name = f"{node.get('__module__')}.{node.get('__class__')}"
        # A JSON node is read as JSON whatever class it names.
        if name not in TRUSTED and node.get("__loader__") != "JsonNode":
            found.add(name)
        if node.get("__loader__") not in LOADERS:
            found.add(f"{name} (loaded by {node.get('__loader__')})")
    return found


def _not_trusted(names: set[str]) -> MeasurementRefused:
    listed = sorted(names)
    more = f" and {len(listed) - 5} more" if len(listed) > 5 else ""
    return MeasurementRefused(
        expected="a model of linear models, tree ensembles, pipelines, encoders, scalers and imputers of scikit-learn",
        found=f"the types {', '.join(listed[:5])}{more}, which are not trusted",
        remedy="Categories of histogram boosting are encoded by a function: encode them in the pipeline instead."
        if any(name.startswith("functools.partial") for name in listed)
        else "Rebuild the model without them; the list of trusted types is in docs/sandbox.md.",
        pointer="model",
    )


def _not_skops(found: str) -> MeasurementRefused:
    return MeasurementRefused(
        expected="a skops file",
        found=found,
        remedy="Save the model with skops.io.dump; pickle and joblib files are not opened.",
        pointer="model",
    )
