"""Which kind of database each of the fifty systems has, and how its file is laid out."""

from __future__ import annotations

from dataclasses import dataclass

from dbops.demo.kinds.clinical import clinical, treatment
from dbops.demo.kinds.imaging import Thumbnails, imaging
from dbops.demo.kinds.laboratory import blood, laboratory, pathology
from dbops.demo.kinds.logistics import booking, supply, tracing
from dbops.demo.kinds.money import finance, insurance
from dbops.demo.kinds.office import office, research, training
from dbops.demo.kinds.surveillance import surveillance
from dbops.demo.tables import Kind
from dbops.demo.vocabulary import DRUGS, MATERIALS, NOTIFIABLE


@dataclass(frozen=True, slots=True)
class FileLayout:
    """How a database file is laid out: page size in bytes, encoding, and two switches."""

    page_size: int = 4096
    encoding: str = "UTF-8"
    auto_vacuum: bool = False
    wal: bool = False


# Some files differ, as they would in a house where fifty firms made them.
_LAYOUTS = {
    "lis": FileLayout(wal=True),
    "pacs-ris": FileLayout(page_size=8192),
    "oa": FileLayout(encoding="UTF-16le"),
    "e-invoice": FileLayout(page_size=1024),
    "booking": FileLayout(auto_vacuum=True),
}
_EXAMINATIONS = ("彩超检查", "胃镜检查", "心电图", "核磁共振", "肺功能", "骨密度")


def layout_of(code: str) -> FileLayout:
    """Return the file layout of the system with this code."""
    return _LAYOUTS.get(code, FileLayout())


def kinds() -> dict[str, Kind]:
    """Return the kind of every system, by its code."""
    return _bedside() | _examining() | _watching() | _moving() | _administering()


def _bedside() -> dict[str, Kind]:
    return {
        "eicu": clinical("气管插管", "中心静脉置管", "床旁血滤", "心肺复苏", "胃管置入"),
        "art": clinical("取卵术", "胚胎移植", "卵胞浆内单精子注射", "胚胎冷冻", "促排卵监测"),
        "prenatal": clinical("羊膜腔穿刺", "绒毛取样", "脐血穿刺", "超声筛查", "遗传咨询"),
        "obstetric-emr": clinical("顺产接生", "剖宫产", "催产素引产", "会阴缝合", "胎心监护"),
        "anaesthesia": clinical("全身麻醉", "椎管内麻醉", "神经阻滞", "气管插管", "术后镇痛"),
        "rehab": treatment("运动疗法", "作业疗法", "言语治疗", "低频电刺激", "牵引"),
        "infusion": treatment("静脉输液", "静脉推注", "肌肉注射", "皮试", "雾化吸入"),
        "child-health": treatment("体格检查", "发育评估", "营养指导", "视力筛查", "听力筛查"),
        "treatment-booking": treatment("放射治疗", "高压氧", "血液透析", "光疗", "针灸"),
    }


def _examining() -> dict[str, Kind]:
    thumbnails = Thumbnails(rows=1500, low=16_000, high=34_000)
    return {
        "lab": laboratory(),
        "lis": laboratory(),
        "pathology": pathology(),
        "endoscopy-pathology": pathology(),
        "blood-use": blood(),
        "blood-use-opt": blood(),
        "transfusion-opt": blood(),
        "pacs-ris": imaging("CT", "MR", "DX", "US", "MG", thumbnails=thumbnails),
        "eye-imaging": imaging("OCT", "眼底照相", "角膜地形图"),
        "nuclear-medicine": imaging("SPECT", "PET", "甲状腺功能仪"),
        "slide-scan": imaging("明场扫描", "荧光扫描"),
    }


def _watching() -> dict[str, Kind]:
    return {
        "hai": surveillance("导管相关血流感染", "呼吸机相关肺炎", "手术部位感染", "多重耐药菌"),
        "flu-watch": surveillance("流感样病例", "甲型流感", "乙型流感", "聚集性发热"),
        "id-report-push": surveillance(*NOTIFIABLE),
        "id-warning": surveillance(*NOTIFIABLE),
        "cdc-key": surveillance("证书到期", "证书吊销", "登录异常"),
        "pharmacovigilance": surveillance(*(f"{drug}不良反应" for drug in DRUGS)),
    }


def _moving() -> dict[str, Kind]:
    return {
        "supplies": supply("打印纸", "被服", "灯管", "洗手液", "轮椅", "办公桌", *MATERIALS),
        "consumables": supply(*MATERIALS),
        "drug-stock": supply(*DRUGS),
        "cssd": tracing("手术器械包", "换药包", "接生包", "腹腔镜器械", "骨科外来器械"),
        "pivas": tracing("抗生素输液", "肠外营养液", "化疗药输液", "普通输液"),
        "transport": tracing("检验标本", "病理标本", "血液制品", "药品", "患者转运"),
        "booking": booking(*_EXAMINATIONS),
        "phlebotomy-queue": booking("静脉采血", "末梢采血", "动脉血气", "糖耐量试验"),
    }


def _administering() -> dict[str, Kind]:
    return {
        "insurance": insurance(),
        "insurance-claims": insurance(),
        "insurance-audit": insurance(),
        "finance-wechat": finance(),
        "e-invoice": finance(),
        "smart-finance": finance(),
        "bank-hospital-2": finance(),
        "clinical-trials": research(),
        "research-filing": research(),
        "research-platform": research(),
        "sample-bank": research(),
        "trainees-1": training("重症护理进修", "内镜进修", "介入进修", "超声进修"),
        "exam-online": training("西医内科", "西医外科", "基础护理", "急救护理", "院感知识"),
        "ethics-eval": training("医德医风自评", "科室互评", "患者评议", "年度考核"),
        "oa": office(),
        "website": office(),
    }
