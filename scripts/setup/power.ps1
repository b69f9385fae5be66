# A node that falls asleep ends a run on all of them.

function Get-ActivePlan {
    $text = @(Invoke-Native -Program 'powercfg.exe' -Arguments @('/getactivescheme')) -join ' '
    return [regex]::Match($text, '[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}').Value
}

function Set-PowerPlan {
    param([Parameter(Mandatory = $true)][string]$Plan)
    $present = Get-ActivePlan
    if ($present -eq $Plan) {
        return
    }
    $known = @(Invoke-Native -Program 'powercfg.exe' -Arguments @('/list')) -join ' '
    if ($known -notmatch [regex]::Escape($Plan)) {
        Write-Note 'this machine has no high performance plan (laptops with modern standby have none): the plan is kept.'
        return
    }
    Invoke-Change -Kind 'PowerPlan' -Target 'active plan' -Old $present -New $Plan -Do {
        Invoke-Native -Program 'powercfg.exe' -Arguments @('/setactive', $Plan)
    }
}

function Undo-PowerPlan {
    param([Parameter(Mandatory = $true)]$Entry)
    Invoke-Native -Program 'powercfg.exe' -Arguments @('/setactive', [string]$Entry.old)
}

function Get-PowerMinutes {
    param([Parameter(Mandatory = $true)][string]$Setting)
    # The words around the numbers are in the machine's language; the last two numbers are AC and DC, in seconds.
    try {
        $text = @(Invoke-Native -Program 'powercfg.exe' -Arguments @('/query', 'SCHEME_CURRENT', 'SUB_SLEEP', $Setting)) -join "`n"
    } catch {
        return $null # a machine that can't hibernate does not know the setting
    }
    $numbers = [regex]::Matches($text, '0x[0-9a-fA-F]{8}')
    if ($numbers.Count -lt 2) {
        return $null
    }
    return [int]([Convert]::ToInt64($numbers[$numbers.Count - 2].Value, 16) / 60)
}

function Set-PowerMinutes {
    # `Rule` is an entry of the effects' power list.
    param([Parameter(Mandatory = $true)]$Rule)
    $present = Get-PowerMinutes -Setting $Rule.setting
    if ($null -eq $present) {
        Write-Note "this machine has no setting $($Rule.name)."
        return
    }
    if ($present -eq $Rule.minutes) {
        return
    }
    Invoke-Change -Kind 'PowerMinutes' -Target $Rule.name -Old $present -New $Rule.minutes -Do {
        Invoke-Native -Program 'powercfg.exe' -Arguments @('/change', $Rule.name, [string]$Rule.minutes)
    }
}

function Undo-PowerMinutes {
    param([Parameter(Mandatory = $true)]$Entry)
    Invoke-Native -Program 'powercfg.exe' -Arguments @('/change', [string]$Entry.target, [string]$Entry.old)
}

function Set-HibernationOff {
    $present = Get-RegistryNumber -Path 'HKLM:\SYSTEM\CurrentControlSet\Control\Power' -Name 'HibernateEnabled'
    if ($null -eq $present -or $present -eq 0) {
        return
    }
    Invoke-Change -Kind 'Hibernation' -Target 'machine' -Old 'on' -New 'off' -Do {
        Invoke-Native -Program 'powercfg.exe' -Arguments @('/hibernate', 'off')
    }
}

function Undo-Hibernation {
    param([Parameter(Mandatory = $true)]$Entry)
    Invoke-Native -Program 'powercfg.exe' -Arguments @('/hibernate', [string]$Entry.old)
}
