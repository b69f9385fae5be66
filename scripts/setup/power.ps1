# A node that falls asleep ends a run on all of them.

$PowerKey = 'HKLM:\SYSTEM\CurrentControlSet\Control\Power'

function Get-ActivePlan {
    $text = @(Invoke-Native -Program 'powercfg.exe' -Arguments @('/getactivescheme')) -join ' '
    return [regex]::Match($text, '[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}').Value
}

function Test-Plan {
    param([Parameter(Mandatory = $true)][string]$Plan)
    $known = @(Invoke-Native -Program 'powercfg.exe' -Arguments @('/list')) -join ' '
    return ($known -match [regex]::Escape($Plan))
}

function Set-PowerPlan {
    param([Parameter(Mandatory = $true)][string]$Plan)
    $present = Get-ActivePlan
    if ($present -eq $Plan) {
        return
    }
    if (-not (Test-Plan -Plan $Plan)) {
        Write-Note 'this machine has no high performance plan (laptops with modern standby have none): the plan is kept.'
        return
    }
    Invoke-Change -Kind 'PowerPlan' -Target 'active plan' -Old $present -New $Plan -Do {
        Invoke-Native -Program 'powercfg.exe' -Arguments @('/setactive', $Plan)
    }
}

function Undo-PowerPlan {
    param([Parameter(Mandatory = $true)]$Entry)
    if ((Get-ActivePlan) -ne [string]$Entry.old -and (Test-Plan -Plan ([string]$Entry.old))) {
        Invoke-Native -Program 'powercfg.exe' -Arguments @('/setactive', [string]$Entry.old)
    }
}

function Get-PowerSeconds {
    # Of the active plan on mains; 0 is never. Nothing where the machine does not have the setting.
    param([Parameter(Mandatory = $true)][string]$Setting)
    # The words around the numbers are in the machine's language; the last two numbers are AC and DC, in seconds.
    try {
        $text = @(Invoke-Native -Program 'powercfg.exe' -Arguments @('/query', 'SCHEME_CURRENT', 'SUB_SLEEP', $Setting)) -join "`n"
    } catch {
        return $null # a machine that can't hibernate does not have the setting
    }
    $numbers = [regex]::Matches($text, '0x[0-9a-fA-F]{8}')
    if ($numbers.Count -lt 2) {
        return $null
    }
    return [Convert]::ToInt64($numbers[$numbers.Count - 2].Value, 16)
}

function Set-PowerMinutes {
    # `Rule` is an entry of the effects' power list. The journal has seconds, and the plan that they belong to.
    param([Parameter(Mandatory = $true)]$Rule)
    $present = Get-PowerSeconds -Setting $Rule.setting
    if ($null -eq $present) {
        Write-Note "this machine has no setting $($Rule.name)."
        return
    }
    $wanted = [long](New-TimeSpan -Minutes $Rule.minutes).TotalSeconds
    if ($present -eq $wanted) {
        return
    }
    $plan = Get-ActivePlan
    $old = [ordered]@{ plan = $plan; seconds = $present }
    $new = [ordered]@{ plan = $plan; seconds = $wanted }
    Invoke-Change -Kind 'PowerSeconds' -Target $Rule.setting -Old $old -New $new -Do {
        Invoke-Native -Program 'powercfg.exe' -Arguments @('/change', $Rule.name, [string]$Rule.minutes)
    }
}

function Undo-PowerSeconds {
    param([Parameter(Mandatory = $true)]$Entry)
    $plan = [string]$Entry.old.plan
    if (-not (Test-Plan -Plan $plan)) {
        return
    }
    Invoke-Native -Program 'powercfg.exe' -Arguments @('/setacvalueindex', $plan, 'SUB_SLEEP', [string]$Entry.target, [string]$Entry.old.seconds)
    if ((Get-ActivePlan) -eq $plan) {
        # Values take effect when the plan is activated.
        Invoke-Native -Program 'powercfg.exe' -Arguments @('/setactive', $plan)
    }
}

function Undo-PowerMinutes {
    # Of journals of older versions.
    param([Parameter(Mandatory = $true)]$Entry)
    Invoke-Native -Program 'powercfg.exe' -Arguments @('/change', [string]$Entry.target, [string]$Entry.old)
}

function Get-Hibernation {
    # Whether the machine hibernates. Windows takes its default where nobody chose.
    $chosen = Get-RegistryNumber -Path $PowerKey -Name 'HibernateEnabled'
    if ($null -eq $chosen) {
        $chosen = Get-RegistryNumber -Path $PowerKey -Name 'HibernateEnabledDefault'
    }
    return ($null -ne $chosen -and $chosen -ne 0)
}

function Set-HibernationOff {
    if (-not (Get-Hibernation)) {
        return
    }
    $old = [ordered]@{ state = 'on'; value = Get-RegistryNumber -Path $PowerKey -Name 'HibernateEnabled' }
    Invoke-Change -Kind 'Hibernation' -Target 'machine' -Old $old -New 'off' -Do {
        Invoke-Native -Program 'powercfg.exe' -Arguments @('/hibernate', 'off')
    }
}

function Undo-Hibernation {
    param([Parameter(Mandatory = $true)]$Entry)
    if (-not (Get-Hibernation)) {
        Invoke-Native -Program 'powercfg.exe' -Arguments @('/hibernate', 'on')
    }
    # Journals of older versions have the word only.
    if ($null -ne (Get-Field $Entry.old 'state')) {
        Restore-RegistryNumber -Path $PowerKey -Name 'HibernateEnabled' -Value $Entry.old.value
    }
}
